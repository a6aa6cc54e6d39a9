# SPDX-License-Identifier: Apache-2.0
"""haproxy: learned as a proxy before one server; b loses the server, is asked on its socket, and
reloads."""
import time

from life import Program, ok_response

CONFIG = """\
global
  stats socket /run/haproxy/admin.sock mode 600 level admin
  maxconn 400
  user haproxy
  group haproxy
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend web
  bind *:8080
  acl hidden path_beg /hidden
  http-request deny if hidden
  stats enable
  stats uri /stats
  compression algo gzip
  compression type text/plain
  default_backend servers
backend servers
  option httpchk GET /alive
  server one 127.0.0.1:9001 check inter 200 fall 1 rise 1
"""


def learned(life):
    life.backend(9001, lambda request: ok_response(b"one" * 100))
    time.sleep(0.5)
    life.get("a request", "/")
    life.get("another", "/other?q=1")
    life.get("a post", "/", method="POST", body=b"x" * 1000)
    life.many("eight at once", 8, lambda: life.http("/").status == 200)
    life.get("statistics", "/stats")
    return life.end("TERM")


def unlearned(life):
    text = ok_response(b"text " * 40000, "Content-Type: text/plain\r\n")
    stop = life.backend(9001, lambda request: text)
    time.sleep(0.5)
    life.get("a large answer", "/")
    life.step(
        "compressed",
        lambda: life.http("/", headers={"Accept-Encoding": "gzip"}),
        lambda a: a.headers.get("content-encoding") == "gzip",
    )
    life.get("a large post", "/", method="POST", body=b"x" * 300000)
    life.get("denied", "/hidden", 403)
    life.step("nonsense", lambda: life.ask("NONSENSE\r\n\r\n"), lambda a: b"400" in a)
    life.step(
        "its socket",
        lambda: life.unix("/run/haproxy/admin.sock").ask("show info\n", b"\n\n"),
        lambda a: b"Uptime" in a,
    )
    life.step(
        "a server taken out",
        lambda: life.unix("/run/haproxy/admin.sock").ask("disable server servers/one\n", b"\n")
        and life.http("/"),
        lambda a: a.status == 503,
    )
    life.step(
        "and in",
        lambda: [
            life.unix("/run/haproxy/admin.sock").ask("enable server servers/one\n", b"\n"),
            time.sleep(0.5),
            life.http("/"),
        ][2],
        lambda a: a.status == 200,
    )
    stop()
    time.sleep(0.6)
    life.get("the server is gone", "/", 503)
    life.backend(9001, lambda request: text)
    time.sleep(0.6)
    life.get("the server is back", "/")
    life.write(
        "/etc/haproxy/haproxy.cfg", CONFIG.replace("bind *:8080", "bind *:8080\n  bind *:8082")
    )
    life.signal("USR2")
    life.step(
        "a new port after the reload",
        lambda: [time.sleep(1), life.http("/", port=8082)][1],
        lambda a: a.status in (200, 503),
    )
    return life.end("USR1")


PROGRAM = Program(
    "haproxy",
    "proxy, several processes",
    ["/usr/sbin/haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"],
    learned,
    unlearned,
    port=8080,
    packages=["haproxy"],
    stop="SIGUSR1",
    files={"/etc/haproxy/haproxy.cfg": CONFIG},
    setup=["mkdir -p /run/haproxy && chown haproxy /run/haproxy"],
)
