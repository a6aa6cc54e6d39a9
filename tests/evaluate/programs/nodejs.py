# SPDX-License-Identifier: Apache-2.0
"""Node.js with a service of ours: learned with notes; b compresses, has workers and children,
resolves names and calls itself."""
import time

from life import Program, app
from steps import note, take_notes


def learned(life):
    take_notes(life)
    time.sleep(0.7)
    return life.end("TERM")


def unlearned(life):
    for number in range(30):
        life.get("a note", "/notes", 201, **note(f"note {30 - number} " * 20))
    life.get("an upload", "/upload", method="POST", body=b"0123456789" * 200000)
    life.step("and back", lambda: life.http("/upload"), lambda a: len(a.body) == 2000000)
    life.get("a password", "/password")
    life.step("a worker", lambda: life.http("/worker"), lambda a: a.body == b"42")
    life.step(
        "sorted by a program", lambda: life.http("/sorted"), lambda a: a.body[:6] == b"note 1"
    )
    life.step(
        "no such name",
        lambda: life.http("/where"),
        lambda a: b"ENOTFOUND" in a.body or b"EAI" in a.body,
    )
    life.step("itself", lambda: life.http("/self"), lambda a: a.body == b"200")
    life.get("a broken note", "/notes", 500, method="POST", body=b"xyz")
    life.signal("HUP")
    time.sleep(0.3)
    life.get("after the reload", "/all")
    life.get("deleted", "/notes", method="DELETE")
    return life.end("TERM")


PROGRAM = Program(
    "nodejs",
    "managed runtime, threads",
    ["/usr/bin/node", "/srv/notes.js"],
    learned,
    unlearned,
    port=8080,
    packages=["nodejs"],
    files={"/srv/notes.js": app("notes.js")},
    setup=["mkdir /var/lib/notes"],
)
