# SPDX-License-Identifier: Apache-2.0
"""nginx: learned with pages and a reload; b uploads, proxies, authenticates and reconfigures."""
import base64
import time

from life import Program
from steps import ask_for_parts, read_pages

SITE = """\
server {
  listen 8080;
  root /srv;
  location /up/ { dav_methods PUT DELETE MKCOL; create_full_put_path on; client_max_body_size 4m; }
  location /list/ { autoindex on; alias /usr/share/nginx/; }
  location /secret/ { auth_basic "who"; auth_basic_user_file /etc/nginx/users; alias /srv/; }
  location /behind/ { proxy_pass http://127.0.0.1:8081/; proxy_buffers 4 4k; }
  location /gone/ { proxy_pass http://127.0.0.1:8099/; }
}
server { listen 127.0.0.1:8081; root /srv; }
"""


def learned(life):
    read_pages(life)
    life.signal("HUP")
    time.sleep(0.4)
    life.get("after the reload", "/")
    return life.end("QUIT")


def unlearned(life):
    big = b"0123456789abcdef" * 65536
    life.get("an upload", "/up/a/b.bin", 201, method="PUT", body=big)
    life.get("the upload again", "/up/a/b.bin", 204, method="PUT", body=big[:100])
    life.get("too large", "/up/c", 413, method="PUT", body=big * 5)
    life.get("a directory", "/up/d/", 201, method="MKCOL")
    life.get("removed", "/up/a/b.bin", 204, method="DELETE")
    ask_for_parts(life)
    life.get("a listing", "/list/")
    life.get("who are you", "/secret/", 401)
    word = base64.b64encode(b"ward:ward").decode()
    life.get("I am ward", "/secret/", headers={"Authorization": "Basic " + word})
    life.get("from behind", "/behind/large.txt")
    life.get("nobody behind", "/gone/", 502)
    life.get("not allowed", "/index.html", 405, method="POST", body=b"x")
    life.step("nonsense", lambda: life.ask("NONSENSE\r\n\r\n"), lambda a: b"400" in a)
    life.signal("USR1")
    life.write("/etc/nginx/conf.d/site.conf", "server { listen 8080; broken }")
    life.signal("HUP")
    time.sleep(0.3)
    life.get("a broken configuration is not taken", "/")
    life.write("/etc/nginx/conf.d/site.conf", SITE + "server { listen 8082; return 204; }")
    life.signal("HUP")
    life.step(
        "a new port",
        lambda: [time.sleep(0.5), life.http("/", port=8082)][1],
        lambda a: a.status == 204,
    )
    return life.end("TERM")


PROGRAM = Program(
    "nginx",
    "web server, several processes",
    ["/usr/sbin/nginx", "-g", "daemon off;"],
    learned,
    unlearned,
    port=8080,
    packages=["nginx"],
    stop="SIGQUIT",
    files={
        "/etc/nginx/conf.d/site.conf": SITE,
        "/etc/nginx/users": "ward:{PLAIN}ward\n",
        "/srv/index.html": "<h1>served</h1>\n" * 200,
        "/srv/large.txt": "0123456789abcdef" * 16384,
    },
    setup=["mkdir /srv/up && chown www-data /srv/up"],
)
