#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up a run of scripts/test: what test programs left (results.py), the checks' statuses, and
test programs that left nothing at all. Prints every failure and every reason for a skip; the last
line is "N passed, N failed, N skipped"."""
import glob
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from results import NO_RESULT, ended_badly, read_results  # noqa: E402


def main():
    build, results = sys.argv[1:3]
    passed, failed, skipped = read_results(results)
    for path in sorted(glob.glob(f"{results}/*.status")):
        name = os.path.basename(path)[: -len(".status")]
        with open(path, encoding="utf-8") as file:
            status = int(file.read())
        if status == 77:
            with open(f"{results}/{name}.log", encoding="utf-8") as file:
                skipped[file.read().strip().splitlines()[-1]] += 1
        elif status:
            failed.append(f"check {name}")
        else:
            passed += 1
    listing = json.loads(
        subprocess.run(
            ["ctest", "--test-dir", build, "-LE", "integration", "--show-only=json-v1"],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout
    )
    for test in listing["tests"]:
        program = re.sub(r".*/", "", test["command"][0])
        if not os.path.exists(f"{results}/cases/{program}.xml") and program not in ended_badly(
            results
        ):
            failed.append(f"{program}: {NO_RESULT}")
    for reason, count in sorted(skipped.items()):
        print(f"skipped ({count}): {reason}")
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{passed} passed, {len(failed)} failed, {sum(skipped.values())} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
