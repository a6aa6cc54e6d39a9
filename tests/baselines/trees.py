# SPDX-License-Identifier: Apache-2.0
"""One root file system of each release of Debian with the runtimes that are measured, and the
programs of tests/baselines/programs in /programs, compiled by the release's own compilers in a
tree of their own. Kept below .cache/evaluate; only the programs are made anew when their text
changes."""
import hashlib
import os
import shutil

import roots
from life import Program
from private_node import ROOT, read

PROGRAMS = os.path.join(ROOT, "tests", "baselines", "programs")
COMPILERS = ["gcc", "libc6-dev", "musl-tools", "golang-go"]
RUNTIMES = ["python3", "nodejs", "tzdata", "tzdata-legacy"]
JAVA = {"bookworm": "17", "trixie": "21"}
COMPILE = """\
cd /sources
cc -O2 -pthread -o /programs/moments-glibc moments.c
musl-gcc -O2 -pthread -o /programs/moments-musl -static moments.c
CGO_ENABLED=0 GO111MODULE=off GOCACHE=/tmp/go go build -o /programs/moments-go moments.go
go version >/programs/go
dpkg-query -W -f='Version: ${Version}\n' musl >/programs/musl
"""


def packages(suite, runtimes):
    java = JAVA[suite]
    if not runtimes:
        return [*COMPILERS, f"openjdk-{java}-jdk-headless"]
    listed = [*RUNTIMES, f"openjdk-{java}-jre-headless"]
    return [p for p in listed if not (suite == "bookworm" and p == "tzdata-legacy")]


def tree(suite, runtimes):
    """A copy of the base with packages: of compilers, or of what is measured."""
    wanted = packages(suite, runtimes)
    digest = hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:12]
    path = os.path.join(roots.CACHE, f"baselines-{suite}-{digest}")
    if not os.path.exists(path):
        base = roots.base(suite)
        roots.remove(path + ".new")
        roots.run(["cp", "-a", base, path + ".new"])
        roots.install(Program("", "", [], None, None, packages=wanted), path + ".new")
        os.rename(path + ".new", path)
    return path


def sources():
    return sorted(name for name in os.listdir(PROGRAMS) if not name.startswith("."))


def compiled(suite):
    """Compiles the programs into the measured tree, and gives its path."""
    text = "".join(read(os.path.join(PROGRAMS, name)) for name in sources()) + COMPILE
    digest = hashlib.sha256(text.encode()).hexdigest()
    measured = tree(suite, True)
    if read(measured + "/programs/digest") == digest:
        return measured
    builder = tree(suite, False)
    for directory in ("/sources", "/programs"):
        shutil.rmtree(builder + directory, ignore_errors=True)
        os.makedirs(builder + directory)
    for name in sources():
        shutil.copy(os.path.join(PROGRAMS, name), builder + "/sources/" + name)
    with roots.usable(builder):
        roots.run(["chroot", builder, "sh", "-ec", COMPILE])
        roots.run(["chroot", builder, "javac", "-d", "/programs", "/sources/Moments.java"])
    for name in ("moments.py", "moments.js"):
        shutil.copy(os.path.join(PROGRAMS, name), builder + "/programs/" + name)
    with open(measured + "/etc/hosts", "w", encoding="ascii") as file:
        file.write("127.0.0.1 localhost\n")
    shutil.rmtree(measured + "/programs", ignore_errors=True)
    roots.run(["cp", "-a", builder + "/programs", measured + "/programs"])
    with open(measured + "/programs/digest", "w", encoding="ascii") as file:
        file.write(digest)
    return measured
