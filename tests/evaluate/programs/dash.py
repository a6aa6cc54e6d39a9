# SPDX-License-Identifier: Apache-2.0
"""A shell script that does jobs of a queue with coreutils: learned with three kinds of job; b has
the others."""
import os
import time

from life import Program, app
from private_node import wait_for


def do(life, what, job, right):
    """One job: its answer has to begin with `right`."""

    def done():
        name = f"job{life.steps}"
        life.write("/queue/new", job + "\n")
        os.rename(life.path("/queue/new"), life.path("/queue/in/" + name))
        deadline = time.monotonic() + 4
        while not (said := life.read("/queue/out/" + name)) and time.monotonic() < deadline:
            if life.state() != "RUNNING":
                raise OSError("the worker does not run")
            time.sleep(0.05)
        return said.strip()

    life.step(what, done, lambda a: a.startswith(right))


def learned(life):
    do(life, "lines", "count /etc/passwd", "")
    do(life, "a copy", "copy /etc/passwd", "copied")
    do(life, "words", "words /srv/text", "")
    do(life, "no such job", "nowhere", "no such job")
    return life.end("TERM")


def unlearned(life):
    do(life, "a package", "pack /etc", "packed")
    do(life, "sums", "sums /etc/apt", "")
    do(life, "replaced", "replace /srv/text", "100")
    do(life, "a link", "link /etc/passwd", "/etc/passwd")
    do(life, "a pipe", "pipe x", "through")
    do(life, "free space", "free /", "6")
    do(life, "processes", "who x", "")
    do(life, "two at once", "both x", "both")
    life.write("/queue/limit", "1\n")
    life.signal("HUP")
    do(life, "a shorter list", "words /srv/text", "")
    do(life, "no such file", "count /nowhere", "/srv/worker.sh")
    do(life, "cleaned", "clean x", "cleaned")
    return life.end("TERM")


PROGRAM = Program(
    "dash",
    "shell script, programs",
    ["/bin/dash", "/srv/worker.sh"],
    learned,
    unlearned,
    files={"/srv/worker.sh": app("worker.sh"), "/srv/text": "one word and another\n" * 100},
    setup=["mkdir -p /queue/in /queue/out"],
    ready=lambda life: os.path.isdir(life.path("/queue/in"))
    and bool(
        wait_for(lambda: life.processes("sleep") or life.state() != "RUNNING", "its first sleep", 5)
    ),
)
