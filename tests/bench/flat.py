# SPDX-License-Identifier: Apache-2.0
"""How the start of an enforced container grows with what else the node has: living containers,
profiles, rules. The row's value is an exponent, the slope of log(median) over log(number): 0 is
flat, 1 is proportional. It is that of the steepest step: what only begins to show at the upper end
would not be seen in a line through all levels."""
import math
import os
import signal
import statistics
import time

from private_node import RUNC, WARD, wait_for
from rounds import conditions

REACH = (0.1,)
TURNS = 2  # there and back: a machine that becomes slower meanwhile is slower for both ends
RULES_IN_A_FILE = 1000  # a policy file is bounded (docs/profile-format.md)
HEAD = "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n"
RULE = '    - {{match: {{containers: ["tenant-{number}-*"]}}, mode: enforce, profile: box}}\n'


def exponent(medians):
    points = [(math.log(number), math.log(median)) for number, median in medians.items()]
    return max((y - before) / (x - last) for (last, before), (x, y) in zip(points, points[1:]))


def starts(bench, image, count, runtimes):
    def once(runtime):
        return bench.timed(
            "run", "--rm", "--runtime", runtime, image, bench.name("box"), "/box", "true"
        )

    return bench.in_turns(
        {name: lambda runtime=runtime: once(runtime) for name, runtime in runtimes.items()}, count
    ).samples


def rising(bench, name, levels, image, count, become, beside=()):
    """`become(level)` brings the node there; every level is measured on the way up and on the way
    down. `beside`: names and runtimes measured in the same rounds, of which the table says how they
    grow with the same."""
    begin, runtimes = conditions(), {"": WARD, **dict(beside)}
    samples = {runtime: {level: [] for level in levels} for runtime in runtimes}
    for turn in range(TURNS):
        for level in levels if turn % 2 == 0 else reversed(levels):
            become(level)
            for runtime, taken in starts(bench, image, count, runtimes).items():
                samples[runtime][level] += taken
    values = {}
    for runtime in runtimes:
        medians = {level: statistics.median(taken) for level, taken in samples[runtime].items()}
        values.update({f"{runtime} {level:,}".strip(): median for level, median in medians.items()})
        values[f"{runtime} exponent".strip()] = exponent(medians)
    bench.row(
        f"ctr run --rm true, enforcing, by {name}: exponent",
        "ms",
        values,
        reach=REACH,
        of="exponent",
        begin=begin,
        samples={
            f"{runtime} {level:,}".strip(): taken
            for runtime, levels_taken in samples.items()
            for level, taken in levels_taken.items()
        },
    )


class Files:
    """Profiles or policies of a node beside those it has: exactly so many of them are in force."""

    def __init__(self, node, kind):
        self.node, self.kind, self.directory = node, kind, os.path.join(node.config, kind)
        self.before, self.written = node.ward_json("status"), []

    def become(self, texts):
        for path in self.written[len(texts) :]:
            os.unlink(path)
        self.written = [
            os.path.join(self.directory, f"a-{number:04}.yaml") for number in range(len(texts))
        ]
        for path, text in zip(self.written, texts):
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(text)
            os.rename(path + ".new", path)
        os.kill(self.node.pid("wardd"), signal.SIGHUP)
        wait_for(self._taken_up, f"{len(texts)} {self.kind} to be in force", 120)
        time.sleep(1)  # what wardd still does with them must not be measured as part of a start

    def _taken_up(self):
        status = self.node.ward_json("status")
        return status[self.kind] == self.before[self.kind] + len(self.written) and status.get(
            "problems"
        ) == self.before.get("problems")


def rule_files(count):
    """The rule of the container that is measured stands behind all of them: "a-" comes before
    "bench"."""
    numbers = range(count)
    return [
        HEAD.format(name=f"a-{at:04}")
        + "".join(RULE.format(number=number) for number in numbers[at : at + RULES_IN_A_FILE])
        for at in range(0, count, RULES_IN_A_FILE)
    ]


def flat(bench, image, quick):
    node, count = bench.node, 3 if quick else 20
    alive = []

    def containers(level):
        while len(alive) > level:
            bench.remove(alive.pop())
        while len(alive) < level:
            alive.append(bench.detached("box", WARD))

    rising(
        bench,
        "living containers",
        (1, 50, 200) if not quick else (1, 10, 20),
        image,
        count,
        containers,
        beside={"stock": RUNC},
    )
    containers(0)
    with open(os.path.join(node.config, "profiles", "box.yaml"), encoding="utf-8") as file:
        box = file.read()
    profiles, policies = Files(node, "profiles"), Files(node, "policies")
    rising(
        bench,
        "profiles",
        (1, 100, 1000),
        image,
        count,
        lambda level: profiles.become(
            [box.replace("name: box", f"name: a-{number}", 1) for number in range(level - 1)]
        ),
    )
    profiles.become([])
    rising(
        bench,
        "rules",
        (1, 1000, 20000),
        image,
        count,
        lambda level: policies.become(rule_files(level - 1)),
    )
    policies.become([])
