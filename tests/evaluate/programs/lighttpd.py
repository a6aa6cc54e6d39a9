# SPDX-License-Identifier: Apache-2.0
"""lighttpd: learned with pages; b runs a CGI program, lists, compresses and rotates its log."""
import time

from life import Program
from steps import ask_for_parts, read_pages

CONFIG = """\
server.modules = ("mod_access", "mod_accesslog", "mod_cgi", "mod_deflate", "mod_dirlisting",
                  "mod_redirect", "mod_status")
server.document-root = "/srv"
server.port = 8080
server.username = "www-data"
server.groupname = "www-data"
server.upload-dirs = ("/var/cache/lighttpd/uploads")
server.errorlog = "/var/log/lighttpd/error.log"
accesslog.filename = "/var/log/lighttpd/access.log"
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html", ".txt" => "text/plain", "" => "application/octet-stream")
deflate.mimetypes = ("text/html")
deflate.allowed-encodings = ("gzip")
cgi.assign = (".sh" => "/bin/sh")
dir-listing.activate = "enable"
status.status-url = "/status"
url.redirect = ("^/old" => "/index.html")
"""
CGI = "printf 'Content-Type: text/plain\\n\\n'; wc -c\n"


def learned(life):
    read_pages(life)
    life.get("status", "/status")
    return life.end("TERM")


def unlearned(life):
    life.step(
        "a program",
        lambda: life.http("/count.sh", "POST", b"x" * 200000),
        lambda a: b"200000" in a.body,
    )
    ask_for_parts(life)
    life.get("a listing", "/dir/")
    life.get("moved", "/old", 301)
    life.get("a post to a file", "/large.txt", method="POST", body=b"x")
    life.step("nonsense", lambda: life.ask("NONSENSE\r\n\r\n"), lambda a: b"400" in a)
    life.step(
        "its log",
        lambda: life.client("mv", "/var/log/lighttpd/access.log", "/var/log/lighttpd/access.log.1"),
        lambda a: a[0] == 0,
    )
    life.signal("HUP")
    time.sleep(0.3)
    life.get("after the rotation", "/")
    life.many("forty at once", 40, lambda: life.http("/large.txt").status == 200)
    return life.end("INT")


PROGRAM = Program(
    "lighttpd",
    "web server",
    ["/usr/sbin/lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf"],
    learned,
    unlearned,
    port=8080,
    packages=["lighttpd", "lighttpd-mod-deflate"],
    stop="SIGINT",
    files={
        "/etc/lighttpd/lighttpd.conf": CONFIG,
        "/srv/index.html": "<h1>served</h1>\n" * 200,
        "/srv/large.txt": "0123456789abcdef" * 16384,
        "/srv/dir/file.txt": "file\n",
        "/srv/count.sh": CGI,
    },
    setup=["mkdir -p /var/cache/lighttpd/uploads && chown -R www-data /var/cache/lighttpd"],
)
