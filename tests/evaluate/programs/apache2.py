# SPDX-License-Identifier: Apache-2.0
"""apache2: learned with pages and a graceful restart; b runs a CGI program, writes by DAV, and
restarts."""
import base64
import time

from life import Program
from steps import ask_for_parts, read_pages

SITE = """\
ServerName localhost
Listen 8080
<VirtualHost *:8080>
  DocumentRoot /srv
  <Directory /srv>
    Require all granted
    AllowOverride All
    Options +Indexes
  </Directory>
  ScriptAlias /run/ /usr/lib/cgi-bin/
  Alias /dav /srv/dav
  <Directory /srv/dav>
    Dav On
  </Directory>
  DavLockDB /var/lock/apache2/locks
  SetOutputFilter DEFLATE
</VirtualHost>
"""
CGI = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello %s\\n' \"$QUERY_STRING\"\n"


def learned(life):
    read_pages(life)
    life.signal("USR1")
    time.sleep(0.5)
    life.get("after the graceful restart", "/")
    return life.end("TERM")


def unlearned(life):
    life.step("a program", lambda: life.http("/run/hello?ward"), lambda a: b"hello ward" in a.body)
    life.get("a file written", "/dav/a.txt", 201, method="PUT", body=b"x" * 300000)
    life.get("a folder", "/dav/folder", 201, method="MKCOL")
    life.get(
        "moved",
        "/dav/a.txt",
        201,
        method="MOVE",
        headers={"Destination": "http://127.0.0.1:8080/dav/folder/b.txt"},
    )
    life.get("properties", "/dav/folder/", 207, method="PROPFIND", headers={"Depth": "1"})
    life.get("removed", "/dav/folder/", 204, method="DELETE")
    ask_for_parts(life)
    life.get("a listing", "/dir/")
    life.get("who are you", "/secret/", 401)
    word = base64.b64encode(b"ward:ward").decode()
    life.get("I am ward", "/secret/page.html", headers={"Authorization": "Basic " + word})
    life.step("nonsense", lambda: life.ask("NONSENSE\r\n\r\n"), lambda a: b"400" in a)
    life.many("forty at once", 40, lambda: life.http("/large.txt").status == 200)
    life.signal("HUP")
    time.sleep(0.7)
    life.get("after the restart", "/")
    return life.end("WINCH")


PROGRAM = Program(
    "apache2",
    "web server, several processes",
    ["/usr/sbin/apache2", "-D", "FOREGROUND"],
    learned,
    unlearned,
    port=8080,
    packages=["apache2"],
    stop="SIGWINCH",
    environment={
        "APACHE_RUN_USER": "www-data",
        "APACHE_RUN_GROUP": "www-data",
        "APACHE_PID_FILE": "/run/apache2/apache2.pid",
        "APACHE_RUN_DIR": "/run/apache2",
        "APACHE_LOCK_DIR": "/run/lock/apache2",
        "APACHE_LOG_DIR": "/var/log/apache2",
    },
    files={
        "/etc/apache2/sites-enabled/site.conf": SITE,
        "/srv/index.html": "<h1>served</h1>\n" * 200,
        "/srv/large.txt": "0123456789abcdef" * 16384,
        "/srv/dir/file.txt": "file\n",
        "/srv/secret/page.html": "secret\n",
        "/srv/secret/.htaccess": "AuthType Basic\nAuthName who\n"
        "AuthUserFile /etc/apache2/users\nRequire valid-user\n",
        "/usr/lib/cgi-bin/hello": CGI,
    },
    setup=[
        "a2enmod -q cgid dav dav_fs auth_basic authn_file deflate",
        "mkdir -p /srv/dav /run/apache2/socks /run/lock/apache2",
        "chown www-data /srv/dav /run/lock/apache2",
        "htpasswd -bc /etc/apache2/users ward ward",
    ],
)
