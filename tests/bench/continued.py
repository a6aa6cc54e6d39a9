# SPDX-License-Identifier: Apache-2.0
"""What calls cost that a balanced profile does not list and its posture lets run: those that the
supervisor is asked for (mkdir), alone, in a flood, and for a neighbour in the same pod; and those
that are in the filter all the same (pwrite64)."""
import os
import re
import subprocess

from pods import GROUP
from private_node import WARD, Broken, wait_for

POLICY = """\
apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: continued}
spec:
  rules:
    - {match: {containers: ["listed-*"]}, mode: enforce, profile: listed}
    - {match: {containers: ["unlisted-*"]}, mode: enforce, profile: unlisted}
"""
# What box needs to begin, to make threads and to measure itself.
CALLS = [
    "clock_nanosleep", "clone", "exit", "madvise", "rseq", "set_robust_list", "munmap", "mmap",
    "mprotect", "pause", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "fork", "wait4", "poll",
]  # fmt: skip
ASKED, IN_FILTER = "mkdir", "pwrite64"
THREADS = 16
PAUSE_US = 1000  # of the neighbour, between two calls


def profile(name, calls):
    return (
        f"apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {{name: {name}, version: 1}}\n"
        f"spec:\n  architectures: [x86_64]\n  posture: balanced\n"
        f"  syscalls:\n    serving: [{', '.join(calls)}]\n"
    )


class Rates:
    """`box rate` in containers under one of the two profiles."""

    def __init__(self, bench, image, milliseconds):
        self.bench, self.image, self.milliseconds = bench, image, milliseconds

    def begin(self, prefix, call, threads, pause_us=0, pod=None):
        name = self.bench.name(prefix)
        flags = ["--annotation", f"{GROUP}={pod}"] if pod else []
        # The neighbour is to have the flood beside it for all of its time.
        milliseconds = self.milliseconds * (3 if pod and not pause_us else 1)
        command = ["/box", "rate", call[0], str(threads), str(milliseconds), str(pause_us)]
        node = self.bench.node
        return subprocess.Popen(
            node.ctr_command("run", "--rm", "--runtime", WARD, *flags, self.image, name, *command),
            env=node.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    @staticmethod
    def end(process):
        out, _ = process.communicate(timeout=120)
        found = re.search(rb"calls (\d+) p50_ns (\d+) p99_ns (\d+)", out)
        if process.returncode != 0 or not found:
            raise Broken(f"box rate: exit status {process.returncode}: {out[-300:]!r}")
        return tuple(int(number) for number in found.groups())

    def alone(self, prefix, call, threads=1):
        return self.end(self.begin(prefix, call, threads))

    def beside(self, prefix):
        """p99 in us of a neighbour that is asked for, beside so many threads of `prefix`."""
        pod = self.bench.detached("unlisted", WARD)
        flood = self.begin(prefix, ASKED, THREADS, pod=pod)
        try:
            _, _, p99 = self.end(self.begin("unlisted", ASKED, 1, PAUSE_US, pod))
            self.end(flood)
        finally:
            flood.kill()
            flood.wait()
            self.bench.remove(pod)
        return p99 / 1000


def per_second(rates, call, threads):
    def measure(prefix):
        return lambda: rates.alone(prefix, call, threads)[0] * 1000 / rates.milliseconds

    return {prefix: measure(prefix) for prefix in ("listed", "unlisted")}


def continued(bench, image, quick):
    node, rounds = bench.node, 2 if quick else 10
    for name, calls in (("listed", [*CALLS, ASKED, IN_FILTER]), ("unlisted", CALLS)):
        path = os.path.join(node.directory, name + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(profile(name, calls))
        node.ward("profile", "apply", path)
    policies = node.ward_json("status")["policies"]
    node.write_policy("continued", POLICY)
    wait_for(lambda: node.ward_json("status")["policies"] > policies, "the policy to be in force")
    rates = Rates(bench, image, 500 if quick else 2000)

    one = bench.in_turns(
        {p: lambda p=p: rates.alone(p, ASKED)[1] / 1000 for p in ("listed", "unlisted")}, rounds
    )
    medians = one.medians()
    asked = medians["unlisted"] - medians["listed"]
    bench.row(
        "a call that the posture lets run: more than a listed one",
        "us",
        {**medians, "more": asked},
        reach=(10,),
        of="more",
        begin=one.conditions,
        samples=one.samples,
    )
    flood = bench.in_turns(per_second(rates, ASKED, THREADS), rounds)
    values = flood.medians("listed", "unlisted")
    bench.row(
        f"the same from {THREADS} threads: a second",
        "calls",
        values,
        reach=(50_000,),
        at_least=True,
        of="unlisted",
        begin=flood.conditions,
        samples=flood.samples,
    )
    beside = bench.in_turns(
        {prefix: lambda p=prefix: rates.beside(p) for prefix in ("listed", "unlisted")}, rounds
    )
    bench.row(
        f"p99 of a neighbour in the pod: {THREADS} threads of such calls / of listed ones",
        "us",
        beside.medians("listed", "unlisted"),
        beside.ratio("unlisted", "listed"),
        reach=(2,),
        begin=beside.conditions,
        samples=beside.samples,
    )
    hot = bench.in_turns(per_second(rates, IN_FILTER, 1), rounds)
    bench.compare(
        "a hot call that was not learned / learned",
        "calls",
        hot,
        "unlisted",
        "listed",
        (0.98,),
        True,
    )
