# SPDX-License-Identifier: Apache-2.0
"""memcached: learned with get and set; b has large values, its other commands, and clients beyond
its limit."""
import time

from life import Program


def learned(life):
    def ask(what, text, end):
        life.step(what, lambda: life.ask(text, end))

    ask("set", b"set a 0 0 3\r\nabc\r\n", rb"STORED\r\n")
    ask("get", b"get a\r\n", rb"abc\r\nEND\r\n")
    ask("not there", b"get b\r\n", rb"^END\r\n")
    ask("a number", b"set n 0 0 1\r\n1\r\nincr n 5\r\n", rb"STORED\r\n6\r\n")
    ask("statistics", b"stats\r\n", rb"END\r\n")
    ask("removed", b"delete a\r\n", rb"DELETED\r\n")
    life.many("eight at once", 8, lambda: life.ask(b"incr n 1\r\n", rb"\d+\r\n"))
    return life.end("TERM")


def unlearned(life):
    def ask(what, text, end):
        life.step(what, lambda: life.ask(text, end))

    large = b"x" * 900_000
    for number in range(20):
        ask(
            "a large value",
            f"set large{number} 0 0 900000\r\n".encode() + large + b"\r\n",
            rb"STORED\r\n",
        )
    ask("and back", b"get large3\r\n", rb"x\r\nEND\r\n")
    ask("too large", b"set huge 0 0 3000000\r\n" + b"x" * 3_000_000 + b"\r\n", rb"SERVER_ERROR.*\n")
    ask("compare and set", b"set c 0 0 1\r\n1\r\ngets c\r\n", rb"VALUE c 0 1 \d+\r\n1\r\nEND\r\n")
    ask("append", b"append c 0 0 1\r\n2\r\n", rb"STORED\r\n")
    ask("touch", b"touch c 1\r\n", rb"TOUCHED\r\n")
    time.sleep(2.2)
    ask("it ended", b"get c\r\n", rb"^END\r\n")
    ask("a meta command", b"mg nothing v\r\n", rb"EN\r\n")
    ask("no such command", b"nowhere\r\n", rb"ERROR\r\n")
    ask("slabs", b"stats slabs\r\n", rb"END\r\n")
    ask("keys", b"lru_crawler metadump all\r\n", rb"END\r\n")
    ask("a crawl", b"lru_crawler crawl all\r\n", rb"OK\r\n")
    ask("more words", b"verbosity 1\r\n", rb"OK\r\n")
    ask("what it does", b"watch fetchers\r\n", rb"OK\r\n")
    ask("settings", b"stats settings\r\n", rb"END\r\n")
    lines = []
    life.step("clients beyond its limit", lambda: [lines.append(life.tcp()) for _ in range(60)])
    for line in lines:
        line.connection.close()
    time.sleep(0.2)
    ask("everything removed", b"flush_all\r\n", rb"OK\r\n")
    ask("no end by command", b"shutdown\r\n", rb"ERROR.*\r\n")
    return life.end("INT")


PROGRAM = Program(
    "memcached",
    "cache, threads",
    ["/usr/bin/memcached", "-l", "0.0.0.0", "-c", "40", "-U", "0"],
    learned,
    unlearned,
    port=11211,
    packages=["memcached"],
    user="memcache",
)
