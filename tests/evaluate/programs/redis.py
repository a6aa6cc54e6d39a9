# SPDX-License-Identifier: Apache-2.0
"""redis: learned with simple commands and a snapshot; b appends to a file, runs Lua, streams,
publishes, and follows another server."""
import contextlib
import time

from life import Program


def words(*arguments):
    out = f"*{len(arguments)}\r\n".encode()
    for word in arguments:
        word = word if isinstance(word, bytes) else str(word).encode()
        out += f"${len(word)}\r\n".encode() + word + b"\r\n"
    return out


def learned(life):
    def ask(what, *command, right=None, end=rb"\r\n"):
        life.step(
            what,
            lambda: life.ask(words(*command), end),
            lambda a: (right or b"") in a and not a.startswith(b"-"),
        )

    ask("set", "SET", "a", "1", right=b"OK")
    ask("get", "GET", "a", end=rb"\r\n1\r\n")
    ask("increment", "INCR", "a", right=b":2")
    ask("a list", "RPUSH", "l", *range(200), right=b":200")
    ask("its range", "LRANGE", "l", 0, 99, end=rb"\r\n99\r\n")
    ask("a hash", "HSET", "h", "f", "v")
    ask("clients", "CLIENT", "LIST", right=b"$")
    ask("information", "INFO", end=rb"# Keyspace.*\r\n\r\n")
    life.many("eight at once", 8, lambda: life.ask(words("INCR", "n")).startswith(b":"))
    ask("a snapshot", "BGSAVE", right=b"started")
    time.sleep(0.5)
    ask("saved", "INFO", "persistence", end=rb"rdb_last_bgsave_status:ok")
    return life.end("TERM")


def unlearned(life):
    def ask(what, *command, right=None, end=rb"\r\n", error=False):
        life.step(
            what,
            lambda: life.ask(words(*command), end),
            lambda a: (right or b"") in a and a.startswith(b"-") == error,
        )

    ask("append to a file", "CONFIG", "SET", "appendonly", "yes", right=b"OK")
    ask("a large value", "SET", "large", b"x" * 5_000_000, right=b"OK")
    ask("and back", "STRLEN", "large", right=b":5000000")
    ask("a script", "EVAL", "return redis.call('INCRBY', KEYS[1], 5)", 1, "s", right=b":5")
    ask("a wrong script", "EVAL", "return nowhere()", 0, error=True)
    ask("no such command", "NOWHERE", error=True)
    ask("a stream", "XADD", "x", "*", "f", "v")
    ask("a sorted set", "ZADD", "z", 1, "a", 2, "b", right=b":2")
    ask("a place", "GEOADD", "g", "13.36", "38.11", "p", right=b":1")
    ask("bits", "SETBIT", "bits", 100000, 1, right=b":0")
    ask("a key with an end", "SET", "short", "1", "PX", 100, right=b"OK")
    ask("waits in vain", "BLPOP", "nothing", "0.3", right=b"*-1")
    ask("it ended", "EXISTS", "short", right=b":0")
    ask("a user", "ACL", "SETUSER", "ward", "on", ">word", "~*", "+get", right=b"OK")
    ask("rewritten", "BGREWRITEAOF", right=b"rewriting")
    time.sleep(0.5)

    def published():
        with life.tcp() as one, life.tcp() as other:
            one.ask(words("SUBSCRIBE", "c"), rb":1\r\n")
            other.ask(words("PUBLISH", "c", "word"))
            return one.until(rb"word\r\n")

    life.step("published", published)

    def together():
        with life.tcp() as one:
            one.ask(words("MULTI"))
            one.ask(words("SET", "t", "1"))
            return one.ask(words("EXEC"), rb"OK\r\n")

    life.step("a transaction", together)
    ask("follows nobody who answers", "REPLICAOF", "127.0.0.1", 7000, right=b"OK")
    time.sleep(1.2)
    ask("leads again", "REPLICAOF", "NO", "ONE", right=b"OK")
    ask("removed behind its back", "UNLINK", "large", right=b":1")
    ask("everything removed", "FLUSHALL", "ASYNC", right=b"OK")
    ask("a snapshot at once", "SAVE", right=b"OK")
    ask("memory", "MEMORY", "STATS", right=b"*")
    ask("no file to rewrite", "CONFIG", "REWRITE", error=True)
    with contextlib.suppress(OSError), life.tcp() as last:
        last.connection.sendall(words("SHUTDOWN", "NOSAVE"))
    return life.end(None)


PROGRAM = Program(
    "redis",
    "cache",
    [
        "/usr/bin/redis-server",
        "--bind",
        "0.0.0.0",
        "--protected-mode",
        "no",
        "--dir",
        "/var/lib/redis",
        "--daemonize",
        "no",
    ],
    learned,
    unlearned,
    port=6379,
    packages=["redis-server"],
    user="redis",
)
