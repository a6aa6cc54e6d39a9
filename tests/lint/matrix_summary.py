#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up a run of scripts/test-matrix: a table of the cells, every failure, every reason for a
skip. The last line is "N passed, N failed, N skipped"; a cell in which no test ran is a failure,
and one that was not begun (behind --left) is a skip."""
import collections
import os
import sys

sys.dont_write_bytecode = True
from results import read_results  # noqa: E402


def read_cell(results):
    passed, failed, skipped = read_results(results)
    return passed, failed or ([] if passed or skipped else ["no test ran"]), skipped


def main():
    out, arguments = sys.argv[1], sys.argv[2:]
    middle = arguments.index("--left")
    cells, left = arguments[:middle], arguments[middle + 1 :]
    results = {cell: read_cell(os.path.join(out, cell.replace("/", "_"))) for cell in cells}
    reasons = collections.Counter()
    for _, _, skipped in results.values():
        reasons.update(skipped)
    reasons.update(f"{cell} was not begun, for time was up" for cell in left)
    for reason, count in sorted(reasons.items()):
        print(f"skipped ({count}): {reason}")
    for cell, (_, failed, _) in results.items():
        for name in failed:
            print(f"FAILED: {cell}: {name}")
    print(f"{'containerd/runtime':32} passed failed skipped")
    for cell, (passed, failed, skipped) in results.items():
        print(f"{cell:32} {passed:6} {len(failed):6} {sum(skipped.values()):7}")
    failures = sum(len(failed) for _, failed, _ in results.values())
    print(
        f"{sum(r[0] for r in results.values())} passed, {failures} failed, "
        f"{sum(reasons.values())} skipped"
    )
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
