#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of figures in docs/performance.md is made of the kept run that its first line names.
Without arguments this checks that it is; with --write it makes the table anew."""
import json
import os
import re
import sys

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
    if sys.argv[1:] not in ([], ["--write"]):
        sys.exit(f"usage: {sys.argv[0]} [--write]")
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    if not TABLE.search(text):
        sys.exit(f"{PAGE}: no table of figures: it stands behind <!-- figures of FILE -->")
    made = TABLE.sub(
        lambda found: found[1] + table(os.path.join("docs", found[2])) + found[3], text
    )
    if made == text:
        print(f"{PAGE}: the figures are those of {TABLE.search(text)[2]}")
    elif sys.argv[1:]:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(made)
    else:
        sys.exit(
            f"{PAGE}: the table is not what {TABLE.search(text)[2]} says; "
            f"{sys.argv[0]} --write makes it"
        )


if __name__ == "__main__":
    main()
