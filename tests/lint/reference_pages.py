#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/reference and the programs agree: verbs and flags (as --help says them), methods of the API,
metrics, kinds of events, annotations, flags of the shim. `--build BUILD` has the programs; with
--write cli.md is written anew from them."""
import argparse
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLI = "docs/reference/cli.md"
HEAD = """# The command line

Every verb and flag of `ward`, and of `wardd`, as `--help` says it. `ward help VERB` is the same at
a prompt. [operations.md](../operations.md) says how they are used, [json.md](../json.md) what `-o
json` prints. `tests/lint/reference_pages.py --build build/asan --write` makes this page, and
`scripts/test` compares it with the programs.
"""

# Nobody runs what stands there.
FENCE = '```text not-run="what --help says"'


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def help_of(program, name, *words):
    """Without the node's own places in the environment; under the name that a person types."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WARD_")}
    done = subprocess.run(
        [name, *words, "--help"],
        executable=program,
        env={**environment, "NO_COLOR": "1"},
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    return done.stdout.strip("\n")


def verbs_of(text):
    listed = re.search(r"^Subcommands:\n((?:  .*\n?)+)", text, re.M)
    return re.findall(r"^  (\S+)", listed[1], re.M) if listed else []


def footer_of(verbs):
    """What every verb's help ends with is said once."""
    parts = [text.split("\n\n\n") for text in verbs.values()]
    last = parts[0][-1] if len(parts[0]) > 1 else ""
    return last if last and all(part[-1].endswith(last) for part in parts) else ""


def cli_page(build):
    ward, verbs = os.path.join(build, "cli", "ward"), {}

    def visit(words):
        # Not `ward WORDS --help`: that of a verb above it goes on to the verb.
        text = help_of(ward, "ward", *words)
        verbs[words] = text
        for verb in verbs_of(text):
            visit((*words, verb))

    visit(())
    footer = footer_of(verbs)
    page = HEAD
    for words, text in verbs.items():
        own = text[: len(text) - len(footer)].rstrip("\n") if footer and words else text
        page += f"\n## {' '.join(('ward', *words))}\n\n{FENCE}\n{own}\n```\n"
    page += (
        f"\n## wardd\n\n{FENCE}\n"
        f"{help_of(os.path.join(build, 'enforcer', 'wardd'), 'wardd')}\n```\n"
    )
    return "\n".join(line.rstrip() for line in page.split("\n"))


def first_cells(page):
    """`name` at the beginning of a row."""
    return set(re.findall(r"^\| `([^`]+)` \|", read("docs", "reference", page), re.M))


def sources(pattern):
    return "".join(
        read(path)
        for path in glob.glob(pattern, root_dir=ROOT, recursive=True)
        if os.path.isfile(os.path.join(ROOT, path))
    )


def differences(page, said, there):
    yield from (
        f"docs/reference/{page} has {name}, and the sources do not" for name in sorted(said - there)
    )
    yield from (f"docs/reference/{page} lacks {name}" for name in sorted(there - said))


def wrong():
    yield from differences(
        "grpc.md",
        first_cells("grpc.md"),
        set(re.findall(r"\brpc (\w+)\(", read("proto", "ward", "v1", "api.proto"))),
    )
    yield from differences(
        "metrics.md",
        first_cells("metrics.md"),
        set(re.findall(r'"(ward_\w+)"', sources("enforcer/metrics/*.cc"))),
    )
    enforcer, shim = sources("enforcer/**/*.cc") + sources("enforcer/**/*.h"), sources(
        "shim/**/*.h"
    ) + sources("shim/**/*.cc")
    kinds = first_cells("events.md")
    yield from differences("events.md", kinds, {kind for kind in kinds if f'"{kind}"' in enforcer})
    # Kinds that are made where an entry is made; those of a table of words are among them.
    made = set(re.findall(r'JournalEntry\w* \w+\{"([a-z-]+)"', enforcer))
    yield from differences("events.md", kinds, kinds | made)
    ours = {name for name in first_cells("annotations.md") if name.startswith("ward.dev/")}
    yield from differences(
        "annotations.md",
        ours,
        {name for name in re.findall(r'"(ward\.dev/[a-z.-]+)"', sources("profiles/filter/*.h"))},
    )
    others = {name for name in first_cells("annotations.md") if name.startswith("io.")}
    yield from differences(
        "annotations.md",
        others,
        {
            name
            for name in re.findall(r'"(io\.[a-z.]+/?[a-z0-9.-]+)"', shim)
            if name.startswith(("io.kubernetes.cri.", "io.containerd.runc.v2.group"))
        },
    )
    page = read("docs", "man", "containerd-shim-ward-v1.8").replace("\\-", "-")
    flags = set(
        re.findall(
            r'\{"([a-z-]+)", (?:&result|nullptr)|flag->name == "([a-z]+)"',
            read("shim", "command", "invocation.cc"),
        )
    )
    yield from differences(
        "../man/containerd-shim-ward-v1.8",
        set(re.findall(r"^\.B -([a-z-]+)", page, re.M))
        | set(re.findall(r"^\.BI -([a-z-]+)", page, re.M)),
        {one or other for one, other in flags},
    )


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--build",
        metavar="BUILD",
        help="for example build/asan; without it the command line is not compared",
    )
    options.add_argument(
        "--write", action="store_true", help="write cli.md instead of comparing it"
    )
    asked = options.parse_args()
    found = list(wrong())
    if asked.build:
        page = cli_page(os.path.abspath(asked.build))
        if asked.write:
            with open(os.path.join(ROOT, CLI), "w", encoding="utf-8") as file:
                file.write(page)
        elif page != read(CLI):
            found.append(
                f"{CLI} is not what the programs say: "
                f"tests/lint/reference_pages.py --build {asked.build} --write"
            )
    print("\n".join(found) if found else "docs/reference says what the programs say")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
