#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What README, docs and comments of the sources refer to is there: tests by name (`Suite.Name`, with * for the rest), files
and folders of this repository, links and their anchors. Without a build: tests are read from the sources."""
import fnmatch
import os
import re
import subprocess
import sys

TEST = re.compile(r"\bTEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)")
NAMED = re.compile(r"`([A-Z]\w*)\.(\*|[A-Z*][\w*]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:cli|docs|enforcer|lib|profiles|proto|scripts|shim|tests)/[\w./*{},-]+)`")
NOT_TESTS = {"Suite.Test"}  # how they are named, not one of them


def tracked():
    return subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split()


def tests_of(texts):
    return {f"{suite}.{name}" for text in texts for suite, name in TEST.findall(text)}


def anchors_of(text):
    """As the pages of a git server make them of headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def alternatives(pattern):
    """shim/{a,b}.h stands for two."""
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if not braces:
        return [pattern]
    return [one for part in braces[1].split(",") for one in alternatives(pattern[:braces.start()] + part + pattern[braces.end():])]


def wrong_in(page, text, tests, files, read):
    folders = {os.path.dirname(path) for path in files}
    folders |= {os.path.dirname(folder) for folder in list(folders)}
    for number, line in enumerate(text.splitlines(), 1):
        for suite, name in NAMED.findall(line):
            pattern = f"{suite}.{name}"
            if pattern not in NOT_TESTS and not any(fnmatch.fnmatchcase(test, pattern) for test in tests):
                yield f"{page}:{number}: no test is called {pattern}"
        for path in PATH.findall(line):
            for one in alternatives(path.rstrip("./")):
                # `shim/guard` stands for its header and source; NAME for a name of the reader's.
                if one not in folders and not fnmatch.filter(files, one) and not fnmatch.filter(files, one + ".*") and "NAME" not in one:
                    yield f"{page}:{number}: there is no {one}"
        for target in LINK.findall(line) if page.endswith(".md") else ():
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            other = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if other not in files and other not in folders:
                yield f"{page}:{number}: the link leads to no file: {target}"
            elif anchor and anchor not in anchors_of(read(other)):
                yield f"{page}:{number}: the link leads to no heading: {target}"


def sees_mistakes():
    """Blindness must not look like a pass."""
    page = "`Suite.Gone_*` `shim/gone.cc` [a](gone.md) [b](#gone)\n# There\n`Suite.Here_*` [c](#there) `shim/{a,b}.cc`"
    found = list(wrong_in("docs/x.md", page, {"Suite.Here_IAm"}, ["docs/x.md", "shim/a.cc", "shim/b.cc"], lambda path: page))
    return len(found) == 4


def main():
    if not sees_mistakes():
        sys.exit("references.py does not see mistakes that it was made for")

    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()
    files = [path for path in tracked() if os.path.isfile(path)]
    tests = tests_of(read(path) for path in files if path.startswith("tests/") and path.endswith((".cc", ".h")))
    pages = [path for path in files if path.endswith((".md", ".h", ".cc", ".py", ".c")) and path != "tests/lint/references.py"]
    wrong = [line for page in pages for line in wrong_in(page, read(page), tests, files, read)]
    print("\n".join(wrong) if wrong else f"{len(pages)} files refer to what is there")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
