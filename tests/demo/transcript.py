#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The transcripts in README.md and docs/demo.md (blocks ```console demo) are what demo.py prints:
each step, claim and command in them is one of those that demo.py's text can make. With FILE, the
output of a run, each line must stand there, but for its numbers."""
import ast
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
PAGES = ("README.md", "docs/demo.md")
MADE_OF_MORE = re.compile(r"^(ok  |\$ |\[[0-9])")  # a claim, a command, a step
SHORTEST = 4  # letters of a text that says something


def transcript(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as page:
        found = re.search(r"^```console demo\n(.*?)^```$", page.read(), flags=re.S | re.M)
    if not found:
        sys.exit(f"{name} has no block ```console demo")
    return found[1].splitlines()


def pattern_of(node):
    """A regular expression for what an expression of demo.py gives; anything that is computed is
    any text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern_of(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return pattern_of(node.left) + pattern_of(node.right)
    return ".*"


def shapes(source):
    """Of every step, claim and show in demo.py the line that it prints."""
    found = []
    for call in (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ):
        made = {
            "step": (1, r"\[[1-9]/7\] %s  \([0-9]+ s\)"),
            "claim": (1, "ok  %s"),
            "show": (0, r"\$ %s"),
        }.get(call.func.id)
        if made and len(re.findall("[a-z]", pattern_of(call.args[made[0]]))) >= SHORTEST:
            found.append(re.compile(made[1] % pattern_of(call.args[made[0]])))
    return found


def unsaid(lines, source):
    known = shapes(source)
    stripped = [line.strip() for line in lines]
    return [
        line
        for line in stripped
        if MADE_OF_MORE.match(line) and not any(shape.fullmatch(line) for shape in known)
    ]


def plain(line):
    line = re.sub(r"\b(?=[a-f]*[0-9])[0-9a-f]{8,}\b", "DIGEST", line)
    return re.sub(r"\s+", " ", re.sub(r"[0-9]+(\.[0-9]+)?", "N", line)).strip()


def missing(lines, run):
    said = {plain(line) for line in run}
    return [line for line in lines if plain(line) not in said]


def sees_mistakes():
    source = (
        'def f(x):\n    claim(x, f"it allows {x} calls")\n    show(f"ward learn show {x}", "")\n'
        '    step(1, "learn: what?")\n'
    )
    good = [
        "  ok  it allows 7 calls",
        "  $ ward learn show nginx",
        "[2/7] learn: what?  (3 s)",
        "    any other line",
    ]
    bad = ["ok  it forbids 7 calls", "$ ward learn nginx", "[2/7] learn: why?  (3 s)"]
    return (
        not unsaid(good, source)
        and unsaid(bad, source) == bad
        and missing(["a 1", "b 2"], ["a 3"]) == ["b 2"]
    )


def main():
    if not sees_mistakes():
        sys.exit("transcript.py does not see mistakes that it was made for")
    with open(os.path.join(HERE, "demo.py"), encoding="utf-8") as file:
        source = file.read()
    said = []
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as file:
            said = file.readlines()
    wrong = 0
    for page in PAGES:
        lines = transcript(page)
        for line in unsaid(lines, source) + (missing(lines, said) if said else []):
            print(f"{page}: the demo does not print: {line}")
            wrong = 1
    sys.exit(wrong)


if __name__ == "__main__":
    main()
