# SPDX-License-Identifier: Apache-2.0
"""Ruby with a service of ours: learned with notes; b forks, starts a program, walks directories,
compacts its memory and locks."""
import time

from life import Program, app
from steps import note, take_notes


def learned(life):
    take_notes(life)
    return life.end("TERM")


def unlearned(life):
    for number in range(30):
        life.get("a note", "/notes", 201, **note(f"note {30 - number} " * 20))
    life.get("an upload", "/upload", method="POST", body=b"0123456789" * 200000)
    life.step(
        "sorted by a program", lambda: life.http("/sorted"), lambda a: a.body[:6] == b"note 1"
    )
    life.step("a child", lambda: life.http("/child"), lambda a: a.body == b"42")
    life.step("no such name", lambda: life.http("/where"), lambda a: a.body == b"unknown")
    life.get("files", "/files")
    life.get("a lock", "/lock")
    life.get("garbage", "/gc")
    life.get("a mistake", "/mistake", 500)
    life.get("a broken note", "/notes", 500, method="POST", body=b"xyz")
    life.signal("HUP")
    time.sleep(0.2)
    life.get("after the reload", "/all")
    life.get("deleted", "/notes", method="DELETE")
    return life.end("TERM")


PROGRAM = Program(
    "ruby",
    "managed runtime, threads",
    ["/usr/bin/ruby", "/srv/notes.rb"],
    learned,
    unlearned,
    port=8080,
    packages=["ruby"],
    files={"/srv/notes.rb": app("notes.rb")},
    setup=["mkdir /var/lib/notes"],
)
