#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the walks of docs/install.md from their own text, on a host of its own: Debian's systemd and
containerd, no network, in namespaces (tests/package/boot) or emulated with Debian's kernel
(tests/vm). What a `console` block shows is compared with what its commands say, as
tests/support/page_blocks.h tells."""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
for folder in ("evaluate", "support", "workloads", "package"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))
import images  # noqa: E402
import node_roots  # noqa: E402

PAGE = os.path.join(ROOT, "docs/install.md")
WALKS = ("package", "tarball")
# What may differ from one run to the next.
PLAIN = [
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\x1b\[[0-9;]*m", ""),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+Z?", "TIME"),
        (r"[0-9]+(\.[0-9]+)? (us|ms|s)\b", "TIME"),
        (r"\b[0-9]+(h|m|s)\b", "TIME"),
        (r"\b(?=[a-f]*[0-9])[0-9a-f]{8,}(-changed)?\b", "DIGEST"),
        (r"(^|[^A-Za-z0-9_.-])[0-9]+(\.[0-9]+)*\b", r"\1NUMBER"),
        (r"[ \t\r]+", " "),
        (r" +$", ""),
    )
]
# A host has /run so; and containerd's snapshots cannot be layers upon layers.
HOST = """\
mount -o remount,noexec /run
mkdir -p /vm/tmp/containerd /var/lib/containerd
mount --bind /vm/tmp/containerd /var/lib/containerd
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export DEBIAN_FRONTEND=noninteractive
cp -r {results}/files /root/walk
cd /root/walk
"""


def plain(line):
    for pattern, word in PLAIN:
        line = pattern.sub(word, line)
    return line


def commands_of(walk):
    """(place, text, what is shown or None) of each command, in the page's order."""
    commands, language, inside = [], None, False
    with open(PAGE, encoding="utf-8") as page:
        for number, line in enumerate(page, 1):
            if line.startswith("```"):
                inside = not inside and re.search(rf"\bwalk={walk}$", line.strip()) is not None
                language = line[3:].split(" ")[0].strip() if inside else None
                if inside and language == "sh":
                    commands.append((number, "", None))
            elif inside and language == "sh":
                place, text, _ = commands[-1]
                commands[-1] = (place, text + line, None)
            elif inside and line.startswith("$ "):
                commands.append((number, line[2:], []))
            elif inside and commands[-1][1].endswith("\\\n") and not commands[-1][2]:
                commands[-1] = (commands[-1][0], commands[-1][1] + line, [])
            elif inside and line.strip():
                commands[-1][2].append(line.rstrip("\n"))
    return commands


def first_difference(shown, said):
    lines = [line for line in said.splitlines() if line.strip()]
    at, skips = 0, False
    for wanted in shown:
        if wanted == "...":
            skips = True
            continue
        while skips and at < len(lines) and plain(lines[at]) != plain(wanted):
            at += 1
        if at == len(lines) or plain(lines[at]) != plain(wanted):
            return wanted
        at, skips = at + 1, False
    return "" if at == len(lines) or skips else "nothing more, and not: " + lines[at]


def script_of(commands, results):
    script = HOST.format(results=results)
    for number, (_, text, shown) in enumerate(commands):
        script += f"exec >{results}/{number}.out 2>&1\nset {'+e' if shown is not None else '-e'}\n"
        script += text
    return script + "exit 0\n"  # what the last one says is compared, its status is not


def prepare(results, asked):
    """What somebody who installs has in the folder where the walk begins."""
    files = os.path.join(results, "files")
    os.makedirs(os.path.join(files, "next"))
    for source, place in ((asked.made, files), (asked.next, os.path.join(files, "next"))):
        for path in glob.glob(os.path.join(source, "*")):
            shutil.copy(path, place)
    image = images.Image(
        "webfs",
        ["webfs"],
        images.entry("/usr/bin/webfsd", "-F", "-p", "80", "-r", "/usr"),
        directories={"/run": "root", "/tmp": "root"},
    )
    images.build(image, os.path.join(node_roots.CACHE, "images"), os.path.join(files, "webfs.tar"))


def walk(name, asked):
    commands = commands_of(name)
    if not commands:
        sys.exit(f"node: docs/install.md has no walk '{name}'")
    package = glob.glob(os.path.join(asked.made, "*.deb"))[0]
    # A package is for the Debian it was made on, and the tarball needs nothing.
    needed = node_roots.depends(package) if asked.suite == "bookworm" else []
    root = node_roots.node(asked.suite, needed)
    with tempfile.TemporaryDirectory(prefix="ward-node-") as results:
        prepare(results, asked)
        with open(os.path.join(results, "walk.sh"), "w", encoding="utf-8") as file:
            file.write(script_of(commands, results))
        status = subprocess.run(
            [os.path.join(ROOT, asked.host), results, "bash", f"{results}/walk.sh"],
            cwd="/",
            env={**os.environ, "WARD_VM_ROOT": root},
            check=False,
        ).returncode
        return report(commands, results, status)


def report(commands, results, status):
    failed = 0
    for number, (place, text, shown) in enumerate(commands):
        try:
            with open(f"{results}/{number}.out", encoding="utf-8", errors="replace") as file:
                said = file.read()
        except FileNotFoundError:
            print(f"  FAILED  docs/install.md:{place} was not reached")
            failed += 1
            continue
        wrong = first_difference(shown, said) if shown is not None else ""
        failed += bool(wrong)
        print(f"  {'FAILED' if wrong else 'ok'}  docs/install.md:{place}: {text.strip()[:70]}")
        if wrong or os.environ.get("WARD_TEST_SHOW") or (status and number + 1 == len(commands)):
            print(f"    wanted: {wrong}\n{said}")
    if status:
        print(f"  FAILED  the walk ends with {status}")
    return failed + bool(status)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="bookworm", choices=["bookworm", "trixie"])
    parser.add_argument("--made", required=True, help="what scripts/package --key made there")
    parser.add_argument("--next", required=True, help="the same, --as the next version")
    parser.add_argument("--host", help="tests/package/boot (of bookworm), or tests/vm/run")
    parser.add_argument("walks", nargs="*", help=" and ".join(WALKS))
    asked = parser.parse_args()
    # Debian 13's systemd does not start with cgroup v1.
    asked.host = asked.host or (
        "tests/package/boot" if asked.suite == "bookworm" else "tests/vm/run"
    )
    asked.walks = asked.walks or (WALKS if asked.suite == "bookworm" else ["tarball"])
    if os.geteuid() != 0:
        print("node: skipped: it makes root file systems, which needs root")
        sys.exit(77)
    failed = 0
    for name in asked.walks:
        print(f"{name} on {asked.suite}", flush=True)
        failed += walk(name, asked)
    if failed:
        sys.exit(f"node: {failed} FAILED")
    print("node: all walks are as the page shows them")


if __name__ == "__main__":
    main()
