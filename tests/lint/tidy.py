#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the sources, what was changed last first and tests after all others. What was
clean once is not looked at again until it, a header of ours that it includes, or .clang-tidy
changes (.cache/tidy). Files that are left when the time is up are counted, and the check counts as
skipped."""
import argparse
import concurrent.futures
import functools
import hashlib
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("lib", "profiles", "shim", "enforcer", "inspect", "cli", "tests")
PLUGIN = os.path.join("tests", "lint", "own_text.cc")
CLANG_TIDY = ("nice", "clang-tidy-14", "--quiet", "--extra-arg=-Wno-unknown-warning-option")
# What must be found, in a header and in the source that includes it.
CANARY = {
    "lib/canary.h": "struct Canary {\n  Canary(int number);\n};\n",
    "canary.cc": '#include "lib/canary.h"\n#include <string>\nint* canary = 0;\n',
}
CANARY_FINDINGS = (
    "canary.h:2:3: error: single-argument constructors",
    "canary.cc:3:15: error: use nullptr",
)


def commands_without_precompiled_headers(build):
    """clang cannot read what g++ precompiled, and a source must hold without it."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        text = re.sub(
            r" -Winvalid-pch| -fpch-preprocess| -include [^ \"]*cmake_pch\.hxx", "", file.read()
        )
    directory = os.path.join(build, "lint")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "compile_commands.json"), "w", encoding="utf-8") as file:
        file.write(text)
    return directory, text


def plugin_options(cache, text):
    """Builds tests/lint/own_text.cc, which makes clang-tidy three to four times as fast."""
    library = os.path.join(cache, f"own_text-{hashlib.sha256(text).hexdigest()[:16]}.so")
    if not os.path.exists(library):
        llvm = subprocess.run(
            ["llvm-config-14", "--includedir"], check=True, text=True, stdout=subprocess.PIPE
        ).stdout.strip()
        subprocess.run(
            [
                "nice",
                "clang++-14",
                "-std=c++17",
                "-O1",
                "-fPIC",
                "-shared",
                "-fno-rtti",
                "-isystem",
                llvm,
                "-o",
                library + ".new",
                PLUGIN,
            ],
            check=True,
        )
        os.rename(library + ".new", library)
    return [f"--load={library}", "--checks=ward-own-text"]


def refuse_blindness(options, directory):
    """No finding in what is known to be wrong: then no finding elsewhere means nothing, either."""
    for name, text in CANARY.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    done = subprocess.run(
        [
            *CLANG_TIDY,
            *options,
            "--config-file=.clang-tidy",
            os.path.join(directory, "canary.cc"),
            "--",
            "-std=c++20",
            "-I",
            directory,
        ],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if unseen := [finding for finding in CANARY_FINDINGS if finding not in done.stdout]:
        sys.exit(f"clang-tidy does not see what it has to see: {unseen}\n{done.stdout}")


@functools.lru_cache(None)
def digest(path, seen=()):
    """Of a file and, transitively, of our headers it includes."""
    if path in seen or not os.path.exists(os.path.join(ROOT, path)):
        return ""
    with open(os.path.join(ROOT, path), "rb") as file:
        text = file.read()
    parts = [text] + [
        digest(name.decode(), (*seen, path)).encode()
        for name in re.findall(rb'^#include "([^"]+)"', text, re.M)
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def changed_at(paths):
    """{path: when it was changed last, in seconds}: a clone gives all files the time of its own
    making, so what is committed as it stands has the time of its commit."""
    times = {path: os.stat(path).st_mtime for path in paths}
    git = ["git", "-c", "core.quotePath=off"]
    edited = subprocess.run(
        [*git, "diff", "--name-only", "HEAD"], check=True, text=True, stdout=subprocess.PIPE
    ).stdout.split("\n")
    log = subprocess.run(
        [*git, "log", "--format=@%ct", "--name-only", "--no-renames", "-n", "500"],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    seen, committed = set(edited), 0
    for line in log.split("\n"):
        if line.startswith("@"):
            committed = int(line[1:])
        elif line in times and line not in seen:
            seen.add(line)
            times[line] = committed
    return {path: when if path in seen else 0 for path, when in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--build", default="build/asan", help="build directory with compile_commands.json"
    )
    parser.add_argument("--seconds", type=int, default=10**6)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument(
        "--folders", nargs="+", default=FOLDERS, help="what to look at (default: %(default)s)"
    )
    options = parser.parse_args()
    os.chdir(ROOT)
    cache = os.path.join(ROOT, ".cache", "tidy")
    os.makedirs(cache, exist_ok=True)
    rules = b""
    for path in (".clang-tidy", os.path.join("tests", ".clang-tidy")):
        with open(path, "rb") as file:
            rules += file.read()
    with open(PLUGIN, "rb") as file:
        plugin = file.read()
    listed = subprocess.run(
        ["git", "ls-files", *options.folders], check=True, text=True, stdout=subprocess.PIPE
    ).stdout.split()
    commands, compiled = commands_without_precompiled_headers(options.build)
    sources = [path for path in listed if path.endswith(".cc") and path in compiled]
    stamps = {
        path: os.path.join(
            cache, hashlib.sha256(rules + plugin + digest(path).encode()).hexdigest()
        )
        for path in sources
    }
    changed = changed_at(sources)
    todo = sorted(
        (path for path in sources if not os.path.exists(stamps[path])),
        key=lambda path: (path.startswith("tests/"), -changed[path]),
    )
    started = time.monotonic()
    deadline = started + options.seconds
    print(
        f"clang-tidy: {len(sources)} files, {len(sources) - len(todo)} unchanged since they were "
        "clean",
        flush=True,
    )
    own_text = plugin_options(cache, plugin)
    refuse_blindness(own_text, os.path.join(options.build, "lint"))

    def lint(path):
        if time.monotonic() > deadline:
            return path, None, ""
        done = subprocess.run(
            [*CLANG_TIDY, *own_text, "-p", commands, path],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return path, done.returncode == 0, done.stdout or done.stderr

    failed, left = [], []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for number, (path, clean, output) in enumerate(pool.map(lint, todo), 1):
            if clean:
                open(stamps[path], "w", encoding="utf-8").close()
            elif clean is None:
                left.append(path)
            else:
                failed.append(path)
                print(output, flush=True)
            if number % 10 == 0 or number == len(todo):
                print(
                    f"clang-tidy: {number}/{len(todo)}, {time.monotonic() - started:.0f} s",
                    flush=True,
                )
    if failed:
        sys.exit(f"clang-tidy: {len(failed)} files with findings: {' '.join(failed)}")
    if left:
        print(
            f"clang-tidy: {len(left)} files not looked at within {options.seconds} s, "
            "the others are clean; run tests/lint/tidy.py for all"
        )
        sys.exit(77)


if __name__ == "__main__":
    main()
