# SPDX-License-Identifier: Apache-2.0
"""python3 with a service of ours: learned with notes; b starts programs, has children, resolves
names, rotates and deletes."""
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
    life.step("words by children", lambda: life.http("/words"), lambda a: a.body == b"1200")
    life.get("a name", "/where/localhost")
    life.get("no such name", "/where/nowhere.invalid", 502)
    life.step(
        "a broken note",
        lambda: life.ask("POST /notes HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz", b""),
        lambda a: a == b"",
    )
    life.signal("HUP")
    time.sleep(0.3)
    life.get("after the rotation", "/all")
    life.get("deleted", "/", method="DELETE")
    return life.end("TERM")


PROGRAM = Program(
    "python3",
    "managed runtime, threads",
    ["/usr/bin/python3", "/srv/notes.py"],
    learned,
    unlearned,
    port=8080,
    packages=["python3"],
    files={"/etc/hosts": "127.0.0.1 localhost\n", "/srv/notes.py": app("notes.py")},
    setup=["mkdir /var/lib/notes"],
)
