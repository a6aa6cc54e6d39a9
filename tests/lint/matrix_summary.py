#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up a run of scripts/test-matrix: a table of the cells, every failure, every reason for a skip.
The last line is "N passed, N failed, N skipped"; a cell whose program left no result is a failure."""
import collections
import os
import sys
import xml.etree.ElementTree as ElementTree


def read_cell(path):
    """(passed, [failed], [reasons for skips]); what fails outside of a case counts once for its suite."""
    if not os.path.exists(path):
        return 0, ["ended without a result (crash, timeout or sanitizer finding)"], []
    passed, failed, skipped = 0, [], []
    root = ElementTree.parse(path).getroot()
    for case in root.iter("testcase"):
        if case.find("failure") is not None:
            failed.append(f"{case.get('classname')}.{case.get('name')}")
        elif (skip := case.find("skipped")) is not None:
            reason = (skip.get("message") or "").strip().splitlines()
            skipped.append(reason[-1] if reason else "no reason given")
        elif case.get("status") == "run":
            passed += 1
    for suite in root.iter("testsuite"):
        if suite.find("failure") is not None:
            failed.append(f"{suite.get('name')} (set-up or tear-down)")
    return passed, failed or ([] if passed or skipped else ["no test ran"]), skipped


def main():
    out, cells = sys.argv[1], sys.argv[2:]
    results = {cell: read_cell(os.path.join(out, cell.replace("/", "_") + ".xml")) for cell in cells}
    reasons = collections.Counter(reason for _, _, skipped in results.values() for reason in skipped)
    for reason, count in sorted(reasons.items()):
        print(f"skipped ({count}): {reason}")
    for cell, (_, failed, _) in results.items():
        for name in failed:
            print(f"FAILED: {cell}: {name}")
    print(f"{'containerd/runtime':32} passed failed skipped")
    for cell, (passed, failed, skipped) in results.items():
        print(f"{cell:32} {passed:6} {len(failed):6} {len(skipped):7}")
    failures = sum(len(failed) for _, failed, _ in results.values())
    print(f"{sum(r[0] for r in results.values())} passed, {failures} failed, {sum(reasons.values())} skipped")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
