# SPDX-License-Identifier: Apache-2.0
"""Perl with a server of ours, a child for each client: learned with notes; b starts a program,
walks, replaces, waits and reloads."""
import time

from life import Program, app


def asker(life):
    def ask(what, text, right):
        life.step(what, lambda: life.ask(text + "\n").decode().strip(), lambda a: a == right)

    return ask


def learned(life):
    ask = asker(life)
    ask("a greeting", "GREET", "hello")
    for number in range(5):
        ask("a note", f"ADD note {number}", "kept")
    ask("how many", "COUNT", "5")
    ask("found", "FIND 3", "note 3")
    ask("no such command", "NOWHERE", "ERROR no such command")
    return life.end("TERM")


def unlearned(life):
    ask = asker(life)
    for number in range(10):
        ask("a note", f"ADD note {9 - number} " + "x" * 5000, "kept")
    life.step("sorted by a program", lambda: life.ask("SORTED\n"), lambda a: a[:6] == b"note 0")
    life.step("files", lambda: int(life.ask("FILES\n")) > 50)
    life.step("the year", lambda: int(life.ask("TIME\n")) > 2000)
    ask("no such name", "WHERE", "unknown")
    ask("replaced", "REPLACE", "replaced")
    ask("late", "PROGRESS", "late")
    ask("through a pipe", "PIPE", "42")
    life.signal("HUP")
    time.sleep(0.2)
    ask("another greeting", "GREET", "welcome")
    life.many("twenty at once", 20, lambda: life.ask("COUNT\n") == b"1\n")
    ask("cleared", "CLEAR", "gone")
    life.step("nothing to clear", lambda: life.ask("CLEAR\n"), lambda a: a.startswith(b"ERROR"))
    return life.end("TERM")


PROGRAM = Program(
    "perl",
    "managed runtime, a process for each client",
    ["/usr/bin/perl", "/srv/notes.pl"],
    learned,
    unlearned,
    port=8080,
    packages=["perl"],
    files={"/srv/notes.pl": app("notes.pl")},
    setup=["mkdir /var/lib/notes"],
)
