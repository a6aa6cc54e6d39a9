#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables about measured baselines in docs/learning.md are made of the kept measurement that
their first line names. Without arguments this checks that they are; with --write it makes them
anew."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))
from kept_tables import renew  # noqa: E402

PAGE = os.path.join("docs", "learning.md")
TABLE = re.compile(r"(<!-- baselines of (\S+): (\w+) -->\n)(?:[^<]*\n)?(<!-- end of baselines -->)")
NAMES = {"bookworm": "Debian 12", "trixie": "Debian 13"}


def rows_of(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["result"]


def listed(words):
    return ", ".join(sorted(words)) or "none"


def ward_baseline():
    with open("profiles/baselines/ward_baseline.cc", encoding="utf-8") as file:
        return set(re.findall(r'"(\w+)"', file.read().split("kWardBaseline[]")[1].split("}")[0]))


def runtimes(rows):
    lines = [
        "| runtime | release, version | moments | calls | let run, recorded | stopped, and when |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "runtime" not in row:
            continue
        calls, let_run, stopped = set(), set(), {}
        for moment in row["moments"]:
            calls |= set(moment["calls"].split())
            let_run |= {call["call"] for call in moment["let_run"]}
            for call in moment["stopped"]:
                stopped.setdefault(call["call"], set()).add(moment["moment"])
        # `names` stands for all moments in which a name is looked for.
        told = {
            call: {re.sub("^names-.*", "names", moment) for moment in moments}
            for call, moments in stopped.items()
        }
        when = {}
        for call, moments in told.items():
            words = "always" if "start" in moments else ", ".join(sorted(moments))
            when.setdefault(words, set()).add(call)
        lines.append(
            f"| {row['runtime']} | {NAMES[row['release']]}, {row['version']} | "
            f"{len(row['moments'])} | {len(calls)} | {listed(let_run)} | "
            + ("; ".join(f"{listed(calls)} ({words})" for words, calls in sorted(when.items())))
            + (" |" if when else "nothing |")
        )
    return lines


def moments(rows):
    """Of the C libraries: calls that the start does not make, over both releases."""
    libraries = ("glibc", "musl")
    lines = [
        "| moment | glibc: calls besides those of the start | musl: the same | outside of "
        "ward-baseline |",
        "|---|---|---|---|",
    ]
    seen, known = {}, ward_baseline()
    for row in rows:
        if row.get("runtime") in libraries:
            for moment in row["moments"]:
                kept = seen.setdefault(moment["moment"], {name: set() for name in libraries})
                calls = set(moment["calls"].split())
                kept[row["runtime"]] |= calls
                kept.setdefault("outside", set()).update(calls - known)
    for moment, kept in seen.items():
        lines.append(
            f"| {moment} | {listed(kept['glibc'])} | {listed(kept['musl'])} | "
            f"{listed(kept['outside'])} |"
        )
    return lines


def commands(rows):
    lines = ["| image | C library | commands that work | that do not |", "|---|---|---|---|"]
    for row in rows:
        if "commands" in row:
            failed = ", ".join(f"`{one}`" for one in row["failed"]) or "none"
            name = NAMES.get(row["commands"], row["commands"])
            lines.append(f"| {name} | {row['libc']} | {row['work']} of {row['of']} | {failed} |")
    return lines


KINDS = {kind.__name__: kind for kind in (runtimes, moments, commands)}


def main():
    _, kept = renew(
        PAGE,
        TABLE,
        "baselines of FILE: KIND",
        lambda one: "\n".join(KINDS[one[3]](rows_of(os.path.join("docs", one[2])))) + "\n",
    )
    print(f"{PAGE}: the tables are those of {kept}")


if __name__ == "__main__":
    main()
