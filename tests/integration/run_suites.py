#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the suites of an integration test program, some at a time: each has its own process, mount
namespace and node, so a crash costs one suite its result and no other. A suite's output is shown
when it has ended, without what went well.

Leaves RESULTS/cases/NAME.xml for each suite, RESULTS/NAME.log, and RESULTS/NAME.exit with an exit
status that was not 0. A suite that --begin-within left out is one skip there. Its own exit status
says whether it could do that, not whether the tests passed."""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

# These take longest; begun first, so that none of them is left for the end.
LONG = (
    "HostileText",
    "Robustness",
    "Learning",
    "Cli",
    "RuntimeDeath",
    "Regression",
    "CriPod",
    "LifeCycle",
    "Resilience",
    "Recovery",
    "Enforcement",
    "Kills",
    "ManyLives",
    "Refused",
    "Walks",
    "Records",
)
BORING = re.compile(
    r"^(\[ RUN  |\[-----|\[=====|\[  PASSED|\[ +SKIPPED|\[       OK|Running main|Note: |$)"
    r"|: Skipped$"
)


def suites(program):
    """{suite: [full names of its cases]} as GTEST_FILTER selects them."""
    listing = subprocess.run(
        [program, "--gtest_list_tests"],
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ).stdout
    found, suite = {}, None
    for line in listing.splitlines():
        name = line.split("#")[0].rstrip()
        if name.startswith("  "):
            found[suite].append(suite + name.strip())
        elif name.endswith("."):
            suite = name
            found[suite] = []
    return {suite.rstrip("."): cases for suite, cases in found.items() if cases}


def rank(suite):
    plain = suite.split("/")[1] if "/" in suite else suite
    return next((number for number, long in enumerate(LONG) if plain.startswith(long)), len(LONG))


def leave_out(results, suite):
    """As GoogleTest would have written it."""
    with open(f"{results}/cases/integration_{suite.replace('/', '_')}.xml", "w") as file:
        file.write(
            f'<testsuites><testsuite name="{suite}"><testcase classname="{suite}">'
            f'<skipped message="{suite} was not begun, for time was up"/>'
            "</testcase></testsuite></testsuites>\n"
        )


def run(program, results, suite, cases, seconds):
    name = "integration_" + suite.replace("/", "_")
    environment = {
        **os.environ,
        "GTEST_FILTER": ":".join(cases),
        "GTEST_OUTPUT": f"xml:{results}/cases/{name}.xml",
        "GTEST_COLOR": "no",
    }
    began = time.monotonic()
    with open(f"{results}/{name}.log", "wb") as log:
        # timeout(1) asks first: a test program that is killed leaves its containers behind.
        status = subprocess.run(
            ["timeout", "-k", "30", str(seconds), program],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        ).returncode
    if status != 0:
        with open(f"{results}/{name}.exit", "w", encoding="ascii") as file:
            file.write(str(status))
    said = f"EXIT STATUS {status}" if status else ""
    return suite, said, time.monotonic() - began, f"{results}/{name}.log"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("results")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="suites at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=int,
        default=900,
        help="the last resort: longest time of a suite (default: %(default)s)",
    )
    parser.add_argument(
        "--begin-within", type=int, default=10**6, help="begin no suite after so many seconds"
    )
    options = parser.parse_args()
    ends = time.monotonic() + options.begin_within
    results = os.path.abspath(options.results)
    os.makedirs(os.path.join(results, "cases"), exist_ok=True)
    wanted = suites(options.program)
    if not wanted:
        print("no integration test matches " + os.environ.get("GTEST_FILTER", "*"))
        return

    def run_in_time(suite):
        if time.monotonic() > ends:
            leave_out(results, suite)
            return suite, "left out: time was up", 0, os.devnull
        return run(options.program, results, suite, wanted[suite], options.seconds)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(run_in_time, suite) for suite in sorted(wanted, key=rank)]
        for number, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            suite, status, took, log = job.result()
            print(
                f"[{number}/{len(jobs)}] {suite}: {len(wanted[suite])} cases, {took:.0f} s"
                + (f", {status}" if status else ""),
                flush=True,
            )
            with open(log, encoding="utf-8", errors="replace") as text:
                for line in text:
                    if not BORING.search(line):
                        print("  " + line, end="", flush=True)


if __name__ == "__main__":
    main()
