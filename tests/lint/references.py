#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What README, docs and comments of the sources refer to is there, inside this repository: tests by
name (`Suite.Name`, with * for the rest), rows (I4, K8, T7, C3, Bug14, F01, H02, N05; also in names
of tests), files and folders, sections of pages, links and their anchors. Facts and threats have a
number of a page; a source begins with its SPDX line. Without a build: tests are read from the
sources. docs/invariants.md says what the letters are; references_test.py tries this file."""
import fnmatch
import os
import re
import subprocess
import sys

TEST = re.compile(r"\bTEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)")
NAMED = re.compile(r"`([A-Z]\w*)\.(\*|[A-Z*][\w*]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOLDERS = "cli|compiled|cmake|docs|enforcer|inspect|lib|profiles|proto|scripts|shim|tests"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./*{{}},-]+)`")
# A file that is named without quotes, and a page that is named without its folder.
FILE = re.compile(
    rf"(?<![\w./<>*{{-])((?:{FOLDERS})/[\w/-]+\.(?:md|h|cc|c|py|proto|yaml|json))\b(?!\.)"
)
PAGE = re.compile(r"(?<![\w./-])(?<!\]\()([\w-]+\.md)\b")
SECTION = re.compile(r"([\w./-]+\.md)(?:,| under| says under) \"([^\"]+)\"")
ROW = r"(?:[IKTC][1-9]\d?|[ADEFHNQRS]\d\d|Bug\d\d)"
CITED = re.compile(rf"(?<![\w.+-])({ROW})(?![\w.]\w|\w)")
DEFINED = re.compile(rf"^\| ({ROW}) \||\*\*({ROW})\*\*", re.M)
# What other pages than ours once numbered.
FOREIGN = re.compile(
    r"\b(?:facts? \d+|threats? [A-Z]?\d+|bugs? \d+|(?:contract|design)(?:\.md)?,? section \d)", re.I
)
SPDX = re.compile(
    r"^(?:#|//|/\*) SPDX-License-Identifier: Apache-2\.0(?: OR GPL-2\.0-only)?(?: \*/)?$"
)
SOURCES = (".h", ".cc", ".c", ".py", ".proto", ".cmake", ".sh", "CMakeLists.txt")
NOT_TESTS = {"Suite.Test", "Suite.Name"}  # how they are named, not one of them
ITSELF = ("tests/lint/references.py", "tests/lint/references_test.py")


class Tree:
    """The files that git knows, and what can be referred to in them."""

    def __init__(self):
        listed = subprocess.run(
            ["git", "ls-files"], check=True, capture_output=True, text=True
        ).stdout.split()
        self.files = [path for path in listed if os.path.isfile(path)]
        self.folders = {os.path.dirname(path) for path in self.files}
        while above := {os.path.dirname(folder) for folder in self.folders} - self.folders:
            self.folders |= above
        self.pages = {os.path.basename(path) for path in self.files if path.endswith(".md")}
        self.tests, self.rows = set(), set()
        for path in self.files:
            if path.startswith("tests/") and path.endswith((".cc", ".h")):
                self.tests |= {f"{suite}.{name}" for suite, name in TEST.findall(read(path))}
            if path.startswith("docs/") and path.endswith(".md"):
                self.rows |= {first or second for first, second in DEFINED.findall(read(path))}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def anchors_of(text):
    """As the pages of a git server make them of headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def titles_of(text):
    return {
        title.strip(" .:").lower()
        for pair in re.findall(r"^#+ (.*)$|\*\*([^*]+)\*\*", text, flags=re.M)
        for title in pair
    }


def alternatives(pattern):
    """shim/{a,b}.h stands for two."""
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if not braces:
        return [pattern]
    return [
        one
        for part in braces[1].split(",")
        for one in alternatives(pattern[: braces.start()] + part + pattern[braces.end() :])
    ]


def words_of(path, text):
    """What people wrote, line by line: all of a page, of a source its comments."""
    fenced, quoted = False, False
    for number, line in enumerate(text.splitlines(), 1):
        if path.endswith(".md"):
            fenced ^= line.lstrip().startswith("```")
            yield number, "" if fenced else line
        elif path.endswith(".py") or not path.endswith((".h", ".cc", ".c", ".proto")):
            quoted ^= line.count('"""') % 2 == 1
            comment = re.search(r"(?:^|\s)#\s(.*)", line)
            yield number, line if quoted or '"""' in line else comment[1] if comment else ""
        else:
            yield number, line.partition("//")[2] or line.partition("/*")[2]


def wrong_paths(line, tree):
    for path in PATH.findall(line):
        for one in alternatives(path.rstrip("./")):
            # `shim/guard` stands for its header and source; NAME for a name of the reader's.
            if (
                one not in tree.folders
                and not fnmatch.filter(tree.files, one)
                and not fnmatch.filter(tree.files, one + ".*")
                and "NAME" not in one
            ):
                yield f"there is no {one}"
    for path in FILE.findall(line):
        if path not in tree.files and "NAME" not in path and "FILE" not in path:
            yield f"there is no {path}"
    for page in PAGE.findall(line):
        if page not in tree.pages:
            yield f"no page is called {page}"


def wrong_links(page, line, tree):
    for target in LINK.findall(line) if page.endswith(".md") else ():
        path, _, anchor = target.partition("#")
        if re.match(r"https?://[\w.-]+\.\w+(?:/|$)|mailto:", target):
            continue
        other = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        # ../../security/advisories leads out of the tree, to the hosting site.
        if path.startswith("../../") and other.startswith(".."):
            continue
        if other not in tree.files and other not in tree.folders:
            yield f"the link leads to no file: {target}"
        elif anchor and anchor not in anchors_of(read(other)):
            yield f"the link leads to no heading: {target}"


def wrong_sections(page, line, tree):
    for target, title in SECTION.findall(line):
        found = [
            path
            for path in tree.files
            if path == target or path == os.path.join(os.path.dirname(page), target)
        ]
        if found and title.strip(" .:").lower() not in "\n".join(titles_of(read(found[0]))):
            yield f'{target} has no section "{title}"'


def wrong_in(page, text, tree):
    for number, line in words_of(page, text):
        wrong = [
            f"no test is called {suite}.{name}"
            for suite, name in NAMED.findall(line)
            if f"{suite}.{name}" not in NOT_TESTS
            and not any(fnmatch.fnmatchcase(test, f"{suite}.{name}") for test in tree.tests)
        ]
        wrong += [f"no page has a row {row}" for row in CITED.findall(line) if row not in tree.rows]
        wrong += [
            f"'{said}' is a number of no page here: cite a row, such as K8"
            for said in FOREIGN.findall(line)
        ]
        wrong += [
            *wrong_paths(line, tree),
            *wrong_links(page, line, tree),
            *wrong_sections(page, line, tree),
        ]
        yield from (f"{page}:{number}: {what}" for what in dict.fromkeys(wrong))


def wrong_names(page, text, tree):
    """Rows in the names of tests: Suite.S03_I3_ASentence."""
    for suite, name in TEST.findall(text):
        for word in name.split("_"):
            if re.fullmatch(ROW, word) and word not in tree.rows:
                yield f"{page}: the test {suite}.{name} names {word}, and no page has that row"


def wrong_licence(page, text):
    lines = text.splitlines()
    if not page.endswith(SOURCES) and not (lines and lines[0].startswith("#!")):
        return
    if not any(SPDX.match(line) for line in lines[:2]):
        yield f"{page}:1: no line of its own says SPDX-License-Identifier: Apache-2.0"


def main():
    tree = Tree()
    wrong = []
    # The licences' own text, and what programs made, are no words of ours.
    files = [
        path
        for path in tree.files
        if not os.path.basename(path).startswith("LICENSE")
        and not path.startswith(("docs/results/", "docs/bench/", "tests/golden/"))
    ]
    for path in files:
        text = read(path)
        wrong += wrong_licence(path, text)
        if path.endswith((".md", *SOURCES)) or text.startswith("#!"):
            wrong += [] if path in ITSELF else wrong_in(path, text, tree)
        if path.startswith("tests/") and path.endswith((".cc", ".h")):
            wrong += wrong_names(path, text, tree)
    print("\n".join(wrong) if wrong else f"{len(files)} files refer to what is there")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
