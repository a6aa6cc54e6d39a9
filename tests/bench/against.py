#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A run of the benchmark beside one that was kept: what became worse by more than the kept run's
own rounds lie apart. Also a program of its own: against.py KEPT NEW."""
import json
import sys

from rounds import quartiles


def read_rows(path):
    with open(path, encoding="utf-8") as file:
        run = json.load(file)
    if not isinstance(run, dict) or "rows" not in run:
        sys.exit(f"bench: {path} is not one run of scripts/bench")
    return run["rows"]


def spread(row):
    """Its quartiles; of older runs, whose learning rows have one ratio and no spread, out of the
    samples."""
    if not (kept := row["quartiles"]) or kept[0] < kept[2] or len(row["samples"] or ()) != 2:
        return kept
    reference, measured = row["samples"].values()
    low, _, high = quartiles([a / b for a, b in zip(measured, reference)])
    return [min(low, kept[1]), kept[1], max(high, kept[1])]


def judge(row, kept):
    """(whether the row became worse, what to say of it). A ratio is held against the quartiles of
    the kept one, on the side to which its bounds point; a row without one against its own first
    bound."""
    bounds, known = row["reach"], kept and spread(kept)
    if row["quartiles"] and known:
        low, _, high = known
        at_least = bool(bounds) and bounds[0]["bound"].startswith(">=")
        worse = row["ratio"] < low if at_least else row["ratio"] > high
        return worse, f"{row['ratio']:.3f}, kept {kept['ratio']:.3f} ({low:.3f} to {high:.3f})"
    if not bounds:
        return False, "nothing to hold it against"
    return (
        not bounds[0]["reached"],
        f"{bounds[0]['bound']} {'reached' if bounds[0]['reached'] else 'NOT REACHED'}",
    )


def compare(rows, path):
    """Prints a line for each row; how many became worse."""
    kept = {row["name"]: row for row in read_rows(path)}
    print(f"\nagainst {path}")
    count = 0
    for row in rows:
        worse, why = judge(row, kept.get(row["name"]))
        count += worse
        new = "" if row["name"] in kept else "  (not in the kept run)"
        print(
            f"{'WORSE ' if worse else 'ok    '} {row['name']:<72} {why}{new}"
            + (f"  ! {row['note']}" if row.get("note") else "")
        )
    print(f"{count} of {len(rows)} rows are worse than in the kept run")
    return count


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} KEPT NEW")
    sys.exit(1 if compare(read_rows(sys.argv[2]), sys.argv[1]) else 0)
