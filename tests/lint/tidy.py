#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the product's sources. What was clean once is not looked at again until it, a header of ours that it
includes, or .clang-tidy changes (.cache/tidy). Files that are left when the time is up are named, and the check counts as skipped."""
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
# What is clean, and has to stay so. The other folders (profiles, shim, enforcer, cli) still have findings: --folders names them.
FOLDERS = ("lib",)


def commands_without_precompiled_headers(build):
    """clang cannot read what g++ precompiled, and a source must hold without it."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        text = re.sub(r" -Winvalid-pch| -fpch-preprocess| -include [^ \"]*cmake_pch\.hxx", "", file.read())
    directory = os.path.join(build, "lint")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "compile_commands.json"), "w", encoding="utf-8") as file:
        file.write(text)
    return directory, text


@functools.lru_cache(None)
def digest(path, seen=()):
    """Of a file and, transitively, of our headers it includes."""
    if path in seen or not os.path.exists(os.path.join(ROOT, path)):
        return ""
    with open(os.path.join(ROOT, path), "rb") as file:
        text = file.read()
    parts = [text] + [digest(name.decode(), (*seen, path)).encode() for name in re.findall(rb'^#include "([^"]+)"', text, re.M)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/asan", help="build directory with compile_commands.json")
    parser.add_argument("--seconds", type=int, default=10**6)
    parser.add_argument("--folders", nargs="+", default=FOLDERS, help="what to look at (default: %(default)s)")
    options = parser.parse_args()
    os.chdir(ROOT)
    cache = os.path.join(ROOT, ".cache", "tidy")
    os.makedirs(cache, exist_ok=True)
    with open(".clang-tidy", "rb") as file:
        rules = file.read()
    listed = subprocess.run(["git", "ls-files", *options.folders], check=True, text=True, stdout=subprocess.PIPE).stdout.split()
    commands, compiled = commands_without_precompiled_headers(options.build)
    sources = [path for path in listed if path.endswith(".cc") and path in compiled]
    stamps = {path: os.path.join(cache, hashlib.sha256(rules + digest(path).encode()).hexdigest()) for path in sources}
    todo = sorted((path for path in sources if not os.path.exists(stamps[path])), key=lambda path: -os.stat(path).st_mtime)
    deadline = time.monotonic() + options.seconds
    print(f"clang-tidy: {len(sources)} files, {len(sources) - len(todo)} unchanged since they were clean", flush=True)

    def lint(path):
        if time.monotonic() > deadline:
            return path, None, ""
        done = subprocess.run(["nice", "clang-tidy-14", "--quiet", "-p", commands, "--extra-arg=-Wno-unknown-warning-option", path],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False)
        return path, done.returncode == 0, done.stdout

    failed, left = [], []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (path, clean, output) in enumerate(pool.map(lint, todo), 1):
            if clean:
                open(stamps[path], "w", encoding="utf-8").close()
            elif clean is None:
                left.append(path)
            else:
                failed.append(path)
                print(output, flush=True)
            if number % 10 == 0:
                print(f"clang-tidy: {number}/{len(todo)}", flush=True)
    if failed:
        sys.exit(f"clang-tidy: {len(failed)} files with findings: {' '.join(failed)}")
    if left:
        print(f"clang-tidy: {len(left)} files not looked at within {options.seconds} s; run tests/lint/tidy.py for all")
        sys.exit(77)


if __name__ == "__main__":
    main()
