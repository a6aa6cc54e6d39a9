#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up a run of scripts/test: GoogleTest's XML, the checks' statuses, test programs that left no result or ended badly
after their last case, and what the sanitizers reported of any process, shims and daemons included.
Prints every failure and every reason for a skip; the last line is "N passed, N failed, N skipped"."""
import collections
import glob
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree


def ended_badly(results):
    """Programs whose exit status was not 0: with no failed case, something came after the last one (a leak, a crash)."""
    programs = {os.path.basename(path)[: -len(".exit")] for path in glob.glob(f"{results}/*.exit")}
    if os.path.exists(path := f"{results}/ctest.xml"):
        for case in ElementTree.parse(path).iter("testcase"):
            if case.get("status") == "fail":
                programs.add(case.get("name"))
    return programs


def sanitizer_reports(results):
    for path in sorted(glob.glob(f"{results}/sanitizer/*")):
        with open(path, encoding="utf-8", errors="replace") as file:
            print(f"\n{path}\n" + "".join(file.readlines()[:60]))
        yield f"a sanitizer's report: {path}"


def main():
    build, results = sys.argv[1:3]
    passed, failed, skipped = 0, [], collections.Counter()
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
    with_failures = set()
    for path in glob.glob(f"{results}/cases/*.xml"):
        known = len(failed)
        for case in ElementTree.parse(path).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None:
                failed.append(name)
            elif (skip := case.find("skipped")) is not None:
                reason = (skip.get("message") or "").strip().splitlines()
                skipped[reason[-1] if reason else "no reason given"] += 1
            elif case.get("status") == "run":
                passed += 1
        for suite in ElementTree.parse(path).iter("testsuite"):  # failures outside of a case, as in TearDownTestSuite
            if suite.find("failure") is not None:
                failed.append(f"{suite.get('name')} (set-up or tear-down)")
        if len(failed) > known:
            with_failures.add(os.path.basename(path)[: -len(".xml")])
    for program in sorted(ended_badly(results) - with_failures):
        failed.append(f"{program}: every case passed, and its exit status is not 0 (a leak or a crash at the end?)")
    failed += sanitizer_reports(results)
    listing = json.loads(subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True, text=True,
                                        stdout=subprocess.PIPE).stdout)
    for test in listing["tests"]:
        program = re.sub(r".*/", "", test["command"][0])
        if not os.path.exists(f"{results}/cases/{program}.xml"):
            failed.append(f"{program}: ended without a result (crash, timeout or sanitizer finding; see above)")
    for reason, count in sorted(skipped.items()):
        print(f"skipped ({count}): {reason}")
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{passed} passed, {len(failed)} failed, {sum(skipped.values())} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
