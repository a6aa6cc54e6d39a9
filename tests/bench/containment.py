# SPDX-License-Identifier: Apache-2.0
"""How long a violation takes to be contained, by the shim's own clock: from the notification
received to every process frozen or dead. Nothing of the benchmark runs meanwhile: it blocks on the
output of one `ward events -f`."""
import os
import select
import statistics
import subprocess
import time

from private_node import WARD, Broken, from_json, wait_for
from rounds import conditions


class Follower:
    """One `ward events -f` for the whole part."""

    def __init__(self, node):
        self.process = subprocess.Popen(
            [
                os.path.join(node.build, "cli", "ward"),
                "--output",
                "json",
                "events",
                "-f",
                "--since",
                "1m",
            ],
            env=node.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.pending = b""

    def violation(self, container):
        deadline = time.monotonic() + 30
        while True:
            line, found, rest = self.pending.partition(b"\n")
            if found:
                self.pending = rest
                event = from_json(line)
                if event["kind"] == "violation" and event["container"] == container:
                    return event
                continue
            if not select.select(
                [self.process.stdout], [], [], max(0, deadline - time.monotonic())
            )[0]:
                raise Broken(f"waited 30 s in vain: the violation of {container}")
            if not (more := os.read(self.process.stdout.fileno(), 65536)):
                raise Broken("`ward events -f` ended")
            self.pending += more

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def containment(bench, count):
    """A container each: after a release the same call is denied for a while and not contained
    again."""
    node = bench.node
    for prefix, state, what in (
        ("box", "PAUSED", "notification to frozen"),
        ("kill", "STOPPED", "notification to all processes frozen or dead"),
    ):
        begin, contained = conditions(), []
        with Follower(node) as events:
            for _ in range(count):
                name = bench.detached(
                    prefix, WARD, command=("/box", "entry", "/trigger", "/box", "wait")
                )
                node.poke(name, "unshare")
                contained.append(events.violation(name)["contained_us"] / 1000)
                wait_for(lambda n=name, s=state: node.task(n)[1] == s, f"{name} to be {state}")
                bench.remove(name)
        ms = sorted(contained)
        values = {
            "p50": statistics.median(ms),
            "p99": ms[min(len(ms) - 1, round(0.99 * (len(ms) - 1)))],
            "max": ms[-1],
        }
        bench.row(
            f"{what}, {len(ms)} violations",
            "ms",
            values,
            reach=(10.0, 5.0) if state == "STOPPED" else (10.0,),
            of="p99",
            begin=begin,
            samples={"contained": contained},
        )
