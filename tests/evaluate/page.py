#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables about learned profiles in docs/learning.md are made of the kept run that their first
line names. Without arguments this checks that they are; with --write it makes them anew."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))
from kept_tables import renew  # noqa: E402

PAGE = os.path.join("docs", "learning.md")
TABLE = re.compile(
    r"(<!-- evaluation of (\S+): (\w+) -->\n).*?(\n<!-- end of evaluation -->)", re.S
)
CLASSES = ("self", "held", "reach", "danger")
POSTURES = ("balanced", "strict")


def rows_of(path):
    with open(path, encoding="utf-8") as file:
        return [row for row in json.load(file)["result"] if isinstance(row, dict)]


def by_class(violations, named=()):
    """`1 held, 2 reach (connect, socket)` of different calls; the classes in `named` by name."""
    words = []
    for harm in CLASSES:
        if names := sorted({v["call"] for v in violations if v["class"] == harm}):
            told = f" ({', '.join(names)})" if harm in named else ""
            words.append(f"{len(names)} {harm}{told}")
    return ", ".join(words) or "none"


def cells(row, posture):
    kept = row["postures"][posture]
    again, other, after = kept["a"], kept["b"], kept["after_rehearsal"]
    ran = f"{again['violations']}"
    if again["as_learned"] != again["runs"]:
        ran += f" ({again['runs'] - again['as_learned']} runs differ)"
    return [
        ran,
        by_class(other["violations"], ("reach", "danger") if posture == "balanced" else ()),
        "yes" if kept["b_quarantine"]["stopped"] else "no",
        by_class(after["violations"]),
        f"{kept['exec']['work']}/{kept['exec']['of']}",
        f"{kept['probes']['stopped']}/{kept['probes']['of']}",
    ]


def programs(rows):
    lines = [
        "| program | posture | a again: violations | b: calls stopped | b would be quarantined | "
        "after one rehearsal | commands | probes stopped |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for posture in POSTURES:
            lines.append("| " + " | ".join([row["program"], posture, *cells(row, posture)]) + " |")
    return lines


def later(rows):
    """Debian 13's build under the profile of Debian 12's, and what a program does by itself."""
    lines = [
        "| program | Debian 13: calls stopped | answers as without Ward | left alone for | "
        "runs on | calls stopped |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        newer, idle = row["debian13"], row["idle"]
        lines.append(
            f"| {row['program']} | {by_class(newer['violations'], CLASSES)} | "
            f"{'yes' if newer['right'] else 'no'} | {idle['seconds']} s | "
            f"{'yes' if idle['runs_on'] else 'no'} | {', '.join(idle['violations']) or 'none'} |"
        )
    return lines


TROUBLES = ("crash", "disk full", "no names")


def troubles(rows):
    """Lives that nobody recorded."""
    lines = [
        "| program | " + " | ".join(f"{one}: calls stopped" for one in TROUBLES) + " |",
        "|" + "---|" * (1 + len(TROUBLES)),
    ]
    for row in rows:
        told = [by_class(row["troubles"][one]["violations"], CLASSES) for one in TROUBLES]
        lines.append(f"| {row['program']} | " + " | ".join(told) + " |")
    return lines


def estimates(rows):
    """What was said of further runs, beside one more of the same exercise and one of another."""
    lines = [
        "| program | calls learned | unseen by the estimate | a further run shows a new call, at "
        "most | one more run of a: new calls | b: new calls |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        said = row["estimate"]
        other = sum(map(len, row["unlearned_calls"].values()))
        lines.append(
            f"| {row['program']} | {row['learned_calls']} | "
            f"{round(said['unseen']) if said['estimated'] else 'none is made'} | "
            f"{said['new_in_a_run_at_most']:.0%} | "
            f"{', '.join(said['one_more_run']) or 'none'} | {other} |"
        )
    showed = sum(bool(row["estimate"]["one_more_run"]) for row in rows)
    most = sum(row["estimate"]["new_in_a_run_at_most"] for row in rows)
    other = sum(bool(sum(map(len, row["unlearned_calls"].values()))) for row in rows)
    return [*lines, f"| of {len(rows)} | | | in at most {most:.1f} | in {showed} | in {other} |"]


def totals(rows):
    lines = [
        "| posture | programs | b without a stop | calls of b that were stopped | of class self or "
        "held | after one rehearsal | probes stopped, fewest and most |",
        "|---|---|---|---|---|---|---|",
    ]
    for posture in POSTURES:
        kept = [row["postures"][posture] for row in rows]
        stopped = [{(v["call"], v["class"]) for v in one["b"]["violations"]} for one in kept]
        probes = [one["probes"]["stopped"] for one in kept]
        lines.append(
            f"| {posture} | {len(rows)} | "
            f"{sum(not one['b_quarantine']['stopped'] for one in kept)} | "
            f"{sum(map(len, stopped))} | "
            f"{sum(harm in ('self', 'held') for calls in stopped for _, harm in calls)} | "
            f"{sum(len({v['call'] for v in one['after_rehearsal']['violations']}) for one in kept)}"
            f" | {min(probes, default=0)} and {max(probes, default=0)} of "
            f"{kept[0]['probes']['of'] if kept else 0} |"
        )
    return lines


KINDS = {kind.__name__: kind for kind in (totals, programs, later, troubles, estimates)}


def table(path, kind):
    return "\n".join(KINDS[kind](rows_of(path)))


def unexplained(text, path):
    """Calls of class reach and danger that balanced stopped, and of which the page gives no
    reason: every one has a row `| call | ...` of its own."""
    stopped = {
        violation["call"]
        for row in rows_of(path)
        for part in ("a", "b")
        for violation in row["postures"]["balanced"][part]["calls" if part == "a" else "violations"]
        if violation["class"] in ("reach", "danger")
    }
    stopped |= {
        violation["call"]
        for row in rows_of(path)
        for seen in row["troubles"].values()
        for violation in seen["violations"]
        if violation["class"] in ("reach", "danger")
    }
    told = set(re.findall(r"^\| `(\w+)", text, re.M))
    return sorted(stopped - told)


def main():
    made, kept = renew(
        PAGE,
        TABLE,
        "evaluation of FILE: KIND",
        lambda one: table(os.path.join("docs", one[2]), one[3]),
    )
    if left := unexplained(made, os.path.join("docs", kept)):
        sys.exit(f"{PAGE}: no reason is given why these were stopped: {' '.join(left)}")
    print(f"{PAGE}: the tables are those of {kept}")


if __name__ == "__main__":
    main()
