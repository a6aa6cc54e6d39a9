#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""references.py on a repository of its own: one mistake of each kind is found, what is right is
not."""
import os
import subprocess
import sys
import tempfile

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "references.py")
LICENCE = "SPDX-License-Identifier: Apache-2.0"
GOOD = {
    "docs/rows.md": "# Rows\n\n| I1 | a sentence | `Suite.I1_*` |\n\n**K8** A note.\n\n"
    "* **T7** **What a signature opens.** Much.\n\n"
    "| Bug14 | a bug | `Suite.F01_*` |\n| F01 | an answer | none |\n\n## Two words\n\n"
    "I1, K8 and T7, see [two](#two-words), [code](../shim/here.h), `shim/here`, "
    "`shim/{here,there}.h`, rows.md,\n"
    "[a site](https://example.org/x), [a form](../../security/advisories/new), "
    "Q1 = 3, F16.4, x86, v1.\n\n"
    "```\nF99 and `Gone.Test` in what a program printed\n```\n",
    "shim/here.h": f"// {LICENCE}\n"
    '// K8 and Bug14: shim/there.h; docs/rows.md, "Two words"; under "What a signature opens".\n'
    "int T99;\n",
    "shim/there.h": f"// {LICENCE}\n",
    "tests/a_test.cc": f"// {LICENCE}\nTEST(Suite, I1_ASentence) {{}}\n"
    "TEST_F(Suite, F01_Another) {}\n",
    "scripts/run": f"#!/bin/sh\n# {LICENCE}\n# As docs/rows.md says (K8).\n"
    "echo '#include \"shim/gone.h\"'\n",
    "tests/bpf.c": "/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */\n",
}
# What is added to a file, and what has to be said of it.
MISTAKES = [
    ("docs/rows.md", "I14", "docs/rows.md:20: no page has a row I14"),
    ("docs/rows.md", "of K9", "no page has a row K9"),
    ("docs/rows.md", "(T8)", "no page has a row T8"),
    ("docs/rows.md", "C3.", "no page has a row C3"),
    ("docs/rows.md", "Bug15", "no page has a row Bug15"),
    ("docs/rows.md", "F02 and F04", "no page has a row F02"),
    ("docs/rows.md", "`Suite.Gone*`", "no test is called Suite.Gone*"),
    ("docs/rows.md", "`shim/gone`", "there is no shim/gone"),
    ("docs/rows.md", "shim/gone.h,", "there is no shim/gone.h"),
    ("docs/rows.md", "see gone.md", "no page is called gone.md"),
    ("docs/rows.md", "[x](gone.md)", "the link leads to no file: gone.md"),
    ("docs/rows.md", "[x](#gone)", "the link leads to no heading: #gone"),
    ("docs/rows.md", "[x](http//example.org)", "the link leads to no file: http//example.org"),
    ("docs/rows.md", "[x](https://)", "the link leads to no file: https://"),
    ("docs/rows.md", 'rows.md, "Three words"', 'rows.md has no section "Three words"'),
    ("shim/here.h", "// fact 8", "'fact 8' is a number of no page here"),
    ("shim/here.h", "// a start (threat 10)", "'threat 10' is a number of no page here"),
    (
        "shim/here.h",
        "// (shim contract, section 7)",
        "'contract, section 7' is a number of no page here",
    ),
    ("shim/here.h", "int x;  // I15", "no page has a row I15"),
    ("shim/here.h", "// `Suite.Gone`", "no test is called Suite.Gone"),
    ("scripts/run", "true  # shim/gone.cc", "there is no shim/gone.cc"),
    ("tests/a_test.cc", "TEST(Suite, I2_Gone) {}", "the test Suite.I2_Gone names I2"),
    ("tests/a_test.cc", "TEST(Suite, F01_N07_Gone) {}", "the test Suite.F01_N07_Gone names N07"),
    ("shim/new.cc", "int x;", "shim/new.cc:1: no line of its own says SPDX"),
    ("shim/new.cc", f"// {LICENCE} And a sentence.", "shim/new.cc:1: no line of its own says SPDX"),
    (
        "tests/CMakeLists.txt",
        "#SPDX - License - Identifier : Apache - 2.0",
        "tests/CMakeLists.txt:1: no line of its own says SPDX",
    ),
    ("scripts/new", "#!/bin/sh\nexit 0", "scripts/new:1: no line of its own says SPDX"),
]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def check(directory):
    subprocess.run(["git", "add", "-A"], cwd=directory, check=True)
    done = subprocess.run(
        [sys.executable, "-B", CHECK],
        cwd=directory,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


def main():
    with tempfile.TemporaryDirectory(prefix="ward-references-") as directory:
        subprocess.run(["git", "init", "-q"], cwd=directory, check=True)
        for path, text in GOOD.items():
            write(os.path.join(directory, path), text)
        status, said = check(directory)
        if status != 0 or "6 files refer to what is there" not in said:
            sys.exit(f"what is right is refused:\n{said}")
        for path, added, wanted in MISTAKES:
            whole = os.path.join(directory, path)
            write(whole, GOOD.get(path, "") + added + "\n")
            status, said = check(directory)
            if (
                status != 1
                or wanted not in said
                or len(said.splitlines()) != (2 if "F02 and F04" in added else 1)
            ):
                sys.exit(f"{path} with '{added}': wanted '{wanted}', it is {status}:\n{said}")
            if path in GOOD:
                write(whole, GOOD[path])
            else:
                os.remove(whole)
    print(f"references.py finds {len(MISTAKES)} kinds of mistakes")


if __name__ == "__main__":
    main()
