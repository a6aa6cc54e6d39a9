# SPDX-License-Identifier: Apache-2.0
"""What a run of tests left in a directory: GoogleTest's XML, exit statuses, the sanitizers' reports
of every process."""
import collections
import glob
import os
import xml.etree.ElementTree as ElementTree

NO_RESULT = "ended without a result (crash, timeout or sanitizer finding)"
BAD_END = "every case passed, and its exit status is not 0 (a leak or a crash at the end?)"


def ended_badly(results):
    """Programs whose exit status was not 0: with no failed case, something came after the last
    one."""
    programs = {os.path.basename(path)[: -len(".exit")] for path in glob.glob(f"{results}/*.exit")}
    if os.path.exists(path := f"{results}/ctest.xml"):
        programs |= {
            case.get("name")
            for case in ElementTree.parse(path).iter("testcase")
            if case.get("status") == "fail"
        }
    return programs


def read_cases(path):
    """(passed, [failed], [reasons for skips]) of one program; what fails outside of a case counts
    once for its suite."""
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
    failed += [
        f"{suite.get('name')} (set-up or tear-down)"
        for suite in root.iter("testsuite")
        if suite.find("failure") is not None
    ]
    return passed, failed, skipped


def read_results(results):
    """(passed, [failed], Counter of reasons for skips). Prints what sanitizers said."""
    passed, failed, skipped, with_failures = 0, [], collections.Counter(), set()
    for path in sorted(glob.glob(f"{results}/cases/*.xml")):
        here = read_cases(path)
        passed += here[0]
        failed += here[1]
        skipped.update(here[2])
        if here[1]:
            with_failures.add(os.path.basename(path)[: -len(".xml")])
    for program in sorted(ended_badly(results) - with_failures):
        failed.append(
            f"{program}: "
            f"{BAD_END if os.path.exists(f'{results}/cases/{program}.xml') else NO_RESULT}"
        )
    for path in sorted(glob.glob(f"{results}/sanitizer/*")):
        with open(path, encoding="utf-8", errors="replace") as file:
            print(f"\n{path}\n" + "".join(file.readlines()[:60]))
        failed.append(f"a sanitizer's report: {path}")
    return passed, failed, skipped
