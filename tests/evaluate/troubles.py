# SPDX-License-Identifier: Apache-2.0
"""Lives that no recording has seen: a process of the program crashes, its disk is full, nobody
answers for names. Answers go wrong in them without Ward, too; what counts is which calls the
learned profile stops."""
import contextlib
import os
import subprocess
import time

from life import Stopped
from private_node import Broken

SIZE = 8 << 30  # of the disk, before it is full: it holds whole copies of images
# TEST-NET-1: nobody is there, and there is no route.
RESOLVER = "nameserver 192.0.2.1\noptions timeout:1 attempts:1\n"


class SmallDisk:
    """A file system for containers of the snapshotter `native`, which can be full for a while; all
    other containers are elsewhere."""

    flags = ["--snapshotter=native"]

    def __init__(self, node):
        self.node = node
        self.path = os.path.join(node.directory, "root", "io.containerd.snapshotter.v1.native")

    def __enter__(self):
        os.makedirs(self.path, mode=0o711)
        self._mount(SIZE)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=False)

    def _mount(self, size, *options):
        words = ",".join([*options, f"size={size}", "mode=711"])
        self.node.command(["mount", "-t", "tmpfs", "-o", words, "tmpfs", self.path])

    @contextlib.contextmanager
    def full(self):
        """Not a byte is left."""
        for left in range(9, -1, -1):
            there = os.statvfs(self.path)
            try:
                self._mount((there.f_blocks - there.f_bfree) * there.f_frsize, "remount")
                break
            except Broken:  # something was written meanwhile
                if not left:
                    raise
        try:
            yield
        finally:
            self._mount(SIZE, "remount")


def tried(exercise, life):
    """In trouble an exercise may break off anywhere."""
    try:
        return exercise(life)
    except Stopped:
        raise
    except Exception as error:
        raise Stopped(f"{type(error).__name__}: {error}") from None


def crash(exercise):
    """The youngest process of the program ends by a fault, in the middle of nothing; the others are
    asked as usual. Of a program that is one process nobody is left: the first process of a
    container gets no such signal, so it is killed, as for want of memory."""

    def live(life):
        youngest = life.processes()[-1]
        for number in ("SEGV", "KILL"):
            life.node.command(["kill", "-s", number, str(youngest)], check=False)
            time.sleep(0.5)
        if life.state() == "ENDED":
            raise Stopped("crashed")
        return tried(exercise, life)

    return live


def disk_full(exercise, disk):
    def live(life):
        with disk.full():
            return tried(exercise, life)

    return live


def resolver(node):
    """The flag by which names are asked of nobody."""
    path = os.path.join(node.directory, "resolv.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(RESOLVER)
    return f"--mount=type=bind,src={path},dst=/etc/resolv.conf,options=rbind:ro"


def troubles(measurement, disk, name, copy):
    """For each trouble what was stopped. `copy`: the profile that knows exercise b, which is the
    one that looks for names."""
    program = measurement.program
    lives = {
        "crash": (name, crash(program.learned), ()),
        "disk full": (name, disk_full(program.learned, disk), disk.flags),
        "no names": (
            copy,
            lambda life: tried(program.unlearned, life),
            [resolver(measurement.node)],
        ),
    }
    out = {}
    for trouble, (profile, exercise, flags) in lives.items():
        action = "rehearsed" if profile == copy else "deny"
        container = f"{name}-{action}-{trouble.replace(' ', '-')}"
        run = measurement.judged(measurement.governed(container, exercise, flags=flags), profile)
        out[trouble] = {"violations": run["violations"], "wrong": len(run["wrong"])}
    return out
