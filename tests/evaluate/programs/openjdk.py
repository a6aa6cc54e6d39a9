# SPDX-License-Identifier: Apache-2.0
"""OpenJDK with a service of ours: learned with notes; b maps files, collects garbage, starts a
program, connects, and is asked for its threads."""
import time

from life import Program, app


def learned(life):
    life.get("the first page", "/")
    for number in range(5):
        life.get("a note", "/notes", method="POST", body=f"note {number}".encode())
    life.get("all of them", "/all")
    life.many("four at once", 4, lambda: life.http("/all").status == 200)
    return life.end("TERM")


def unlearned(life):
    for number in range(30):
        life.get("a note", "/notes", method="POST", body=f"note {40 - number}".encode())
    life.get("an upload", "/upload", method="POST", body=b"0123456789" * 200000)
    life.step("a mapped file", lambda: life.http("/mapped"), lambda a: a.body == b"m")
    life.get("garbage", "/work")
    life.step(
        "sorted by a program", lambda: life.http("/sorted"), lambda a: a.body[:7] == b"note 11"
    )
    life.step("no such name", lambda: life.http("/where"), lambda a: a.body == b"unknown")
    life.step("itself", lambda: life.http("/self"), lambda a: a.body == b"connected")
    life.get("a mistake", "/mistake", 500)
    life.many("thirty at once", 30, lambda: life.http("/all").status == 200)
    life.signal("QUIT")
    time.sleep(0.5)
    life.get("after its threads were listed", "/")
    return life.end("TERM")


PROGRAM = Program(
    "openjdk",
    "managed runtime, threads",
    ["/usr/bin/java", "-Xmx128m", "-cp", "/srv", "Notes"],
    learned,
    unlearned,
    port=8080,
    packages=["openjdk-17-jdk-headless"],
    newer={"packages": ["openjdk-21-jdk-headless"]},
    files={"/srv/Notes.java": app("Notes.java")},
    setup=["cd /srv && javac Notes.java", "mkdir /var/lib/notes"],
)
