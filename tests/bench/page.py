#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of figures in docs/performance.md is made of the kept run that its first line names.
Without arguments this checks that it is; with --write it makes the table anew."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))
from kept_tables import renew  # noqa: E402

PAGE = os.path.join("docs", "performance.md")
TABLE = re.compile(r"(<!-- figures of (\S+) -->\n).*?(\n<!-- end of figures -->)", re.S)


def number(value):
    return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"


def cells(row):
    ratio = "-" if row["ratio"] is None else number(row["ratio"])
    if row["quartiles"]:
        ratio += f" ({number(row['quartiles'][0])} to {number(row['quartiles'][2])})"
    reach = "<br>".join(
        f"{bound['bound']} {'reached' if bound['reached'] else '**not reached**'}"
        for bound in row["reach"]
    )
    values = (
        ", ".join(f"{name} {number(value)}" for name, value in row["values"].items())
        + " "
        + row["unit"]
    )
    return row["name"], ratio, reach, values + (f"; {row['note']}" if row.get("note") else "")


def table(path):
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    return "\n".join(
        [
            "| row | ratio (quartiles) | reach | medians |",
            "|---|---|---|---|",
            *("| " + " | ".join(cells(row)) + " |" for row in rows),
        ]
    )


def main():
    _, kept = renew(PAGE, TABLE, "figures of FILE", lambda one: table(os.path.join("docs", one[2])))
    print(f"{PAGE}: the figures are those of {kept}")


if __name__ == "__main__":
    main()
