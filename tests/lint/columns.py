#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No line has more than 100 characters, so that two files fit beside each other. Left out is what
cannot be broken or is data: a word or an address alone on its line, tables and blocks of Markdown,
raw strings, sources of facts, tables that clang-format leaves alone, kept results."""
import re
import subprocess
import sys

LIMIT = 100
DATA = re.compile(r"^(tests/golden|docs/(results|bench)|tests/fuzz/corpus)/|\.json$|^LICENSE")
ONE_WORD = re.compile(r"^\s*((#|//|-) )?\S+$")
SOURCE = re.compile(r"^\s*(//|#) Sources?: ")
FENCE = re.compile(r"^\s*```")
RAW = re.compile(r'R"(\w*)\(')


def long_lines(path, lines):
    """Numbers of those that are too long."""
    fenced, raw, free = False, None, False
    for number, line in enumerate(lines, 1):
        if path.endswith(".md") and FENCE.match(line):
            fenced = not fenced
        free = "clang-format off" in line or (free and "clang-format on" not in line)
        inside, opened = raw, RAW.search(line) if raw is None else None
        if opened and f'){opened[1]}"' not in line[opened.end() :]:
            inside = raw = opened[1]
        elif raw is not None and f'){raw}"' in line:
            raw = None
        if len(line) <= LIMIT or fenced or free or inside is not None or opened:
            continue
        if path.endswith(".md") and line.lstrip().startswith("|"):
            continue
        if not ONE_WORD.match(line) and not SOURCE.match(line):
            yield number


def main():
    listed = subprocess.run(["git", "ls-files"], check=True, text=True, stdout=subprocess.PIPE)
    wrong = []
    for path in listed.stdout.split():
        if DATA.search(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        wrong += [
            f"{path}:{number}: {len(lines[number - 1])} characters, {LIMIT} fit: break the line"
            for number in long_lines(path, lines)
        ]
    print("\n".join(wrong) or "no line is too long")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
