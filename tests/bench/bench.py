# SPDX-License-Identifier: Apache-2.0
"""Ward beside the stock runtime: same containerd, same runc, same run, every variant once a round
in random order so that a noisy machine is noisy for all. Prints a table and writes JSON; whether it
is worse than a kept run says --against."""
import argparse
import json
import os
import random
import re
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("support", "workloads")]
import pods  # noqa: E402
from against import compare, read_rows  # noqa: E402
from containment import containment  # noqa: E402
from continued import continued  # noqa: E402
from flat import flat  # noqa: E402
from floor import Floor  # noqa: E402
from driver import Nginx, Redis  # noqa: E402
from private_node import RUNC, WARD, Broken, PrivateNode  # noqa: E402
from private_node import enter_mount_namespace, read, wait_for  # noqa: E402
from rounds import Rounds, conditions, quartiles  # noqa: E402

POLICY = """\
apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: bench}
spec:
  rules:
    - {match: {containers: ["off-*"]}, mode: "off"}
    - {match: {containers: ["box-*"]}, mode: enforce, profile: box, workload: box, missing: learn}
    - {match: {containers: ["kill-*"]}, mode: enforce, profile: box, workload: box,
       missing: learn, onViolation: {workload: {action: kill}}}
    - {match: {containers: ["nginx-*"]}, mode: enforce, profile: nginx, workload: nginx,
       missing: learn}
    - {match: {containers: ["redis-*"]}, mode: enforce, profile: redis, workload: redis,
       missing: learn}
    - {match: {containers: ["learn-*"]}, mode: learn, workload: again}
"""
BOX = "docker.io/ward/box:demo"
PARTS = (
    "start",
    "exec",
    "pod",
    "memory",
    "output",
    "containment",
    "continued",
    "flat",
    "nginx",
    "redis",
)
# name -> (prefix of the container's name, runtime, flags)
VARIANTS = {
    "stock": ("stock", RUNC, []),
    "stock+default": ("stock", RUNC, ["--seccomp"]),
    "ward off": ("off", WARD, []),
    "ward enforce": ("box", WARD, []),
}


def rollup(pid, key):
    """MiB of one process."""
    return (
        int(re.search(rf"^{key}: *(\d+) kB", read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)[1])
        / 1024
    )


class Bench:
    def __init__(self, node, pairs, seed, judged=True):
        self.node, self.pairs, self.counter, self.rows, self.random = (
            node,
            pairs,
            0,
            [],
            random.Random(seed),
        )
        self.judged = judged  # by bounds that hold for a release build on a quiet machine

    def name(self, prefix):
        self.counter += 1
        return f"{prefix}-{self.counter}"

    def row(
        self,
        name,
        unit,
        values,
        quartiles=None,
        reach=(),
        at_least=False,
        of=None,
        begin=None,
        samples=None,
    ):
        """One line of the table. What is held against the bounds of `reach` is the median of
        `quartiles` (of ratios), or the value `of`. `begin`: the machine's conditions; `samples`:
        what it was made of."""
        measured = quartiles[1] if quartiles else values.get(of)
        self.rows.append(
            {
                "name": name,
                "unit": unit,
                "values": {key: round(value, 3) for key, value in values.items()},
                "ratio": quartiles and round(quartiles[1], 3),
                "quartiles": quartiles and [round(q, 3) for q in quartiles],
                "reach": [
                    {
                        "bound": f"{'>=' if at_least else '<='} {bound:g}",
                        "reached": measured >= bound if at_least else measured <= bound,
                    }
                    for bound in reach
                    if measured is not None and self.judged
                ],
                **(begin or {"note": None}),
                "samples": samples
                and {key: [round(v, 3) for v in taken] for key, taken in samples.items()},
            }
        )
        print(line(self.rows[-1]), flush=True)

    def in_turns(self, measures, count):
        """The shim of a container that is gone may still be on its way out: it must not work beside
        the next measure. Nor may the next find warm what the last one warmed (the kernel's lock of
        cgroups, for up to 15 ms)."""
        stay = set(self.shims())

        def before():
            wait_for(lambda: set(self.shims()) <= stay, "the last shim to end")
            time.sleep(0.05)

        return Rounds(measures, count, self.random, before)

    def compare(self, name, unit, rounds, measured, reference, reach, at_least=False, also=()):
        self.row(
            name,
            unit,
            rounds.medians(reference, measured, *also),
            rounds.ratio(measured, reference),
            reach,
            at_least,
            begin=rounds.conditions,
            samples={key: rounds.samples[key] for key in (reference, measured, *also)},
        )

    def timed(self, *arguments):
        begin = time.monotonic()
        self.node.ctr(*arguments)
        return (time.monotonic() - begin) * 1000

    def detached(self, prefix, runtime, flags=(), command=("/box", "wait")):
        name = self.name(prefix)
        self.node.ctr("run", "-d", "--runtime", runtime, *flags, BOX, name, *command)
        return name

    def remove(self, name):
        self.node.ctr("task", "kill", "-s", "KILL", name, check=False)
        wait_for(
            lambda: (self.node.task(name) or (0, "STOPPED"))[1] == "STOPPED", f"{name} to stop"
        )
        self.node.ctr("task", "delete", "-f", name, check=False)
        self.node.ctr("container", "delete", name, check=False)

    def learn_box(self):
        watched = ("/box", "entry", "/trigger", "/box", "wait")
        for _ in range(2):
            self.node.ctr("run", "--rm", "--runtime", WARD, BOX, self.name("box"), "/box", "true")
            name = self.detached("box", WARD, command=watched)
            self.node.poke(name, "noop")
            self.remove(name)
        self.apply("box")

    def apply(self, workload):
        path = os.path.join(self.node.directory, workload + ".yaml")
        self.node.ward("profile", "generate", workload, "-o", path)
        self.node.ward("profile", "apply", path)

    def start(self):
        def measure(prefix, runtime, flags):
            return lambda: self.timed(
                "run", "--rm", "--runtime", runtime, *flags, BOX, self.name(prefix), "/box", "true"
            )

        floor = Floor(self, RUNC, [], BOX)
        rounds = self.in_turns(
            {
                **{key: measure(*variant) for key, variant in VARIANTS.items()},
                "ctr alone": floor.client,
                "runc create, start, delete alone": floor.life,
            },
            self.pairs,
        )
        self.remove(floor.container)
        floors = ("ctr alone", "runc create, start, delete alone")
        self.compare(
            "ctr run --rm true: ward off / stock without a profile",
            "ms",
            rounds,
            "ward off",
            "stock",
            (0.80, 0.75),
            also=floors,
        )
        self.compare(
            "ctr run --rm true: ward enforcing / stock with the default profile",
            "ms",
            rounds,
            "ward enforce",
            "stock+default",
            (0.90, 0.75),
        )

    def execs(self):
        names = {key: self.detached(*VARIANTS[key]) for key in VARIANTS}

        def measure(name):
            return lambda: self.timed(
                "task", "exec", "--exec-id", self.name("e"), name, "/box", "true"
            )

        floor = Floor(self, RUNC, [], BOX)
        rounds = self.in_turns(
            {
                **{key: measure(name) for key, name in names.items()},
                "ctr alone": floor.client,
                "runc exec alone": floor.exec,
            },
            self.pairs,
        )
        self.remove(floor.container)
        self.compare(
            "exec of true: ward off / stock",
            "ms",
            rounds,
            "ward off",
            "stock",
            (0.85, 0.75),
            also=("ctr alone", "runc exec alone"),
        )
        self.compare(
            "exec of true: ward enforcing / stock with the default profile",
            "ms",
            rounds,
            "ward enforce",
            "stock+default",
            (0.85, 0.75),
        )
        for name in names.values():
            self.remove(name)

    def shims(self):
        """pid of each shim of this node; what one forked for a moment has its command line and is
        none."""
        parents = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if (
                "containerd-shim-" in (command := read(f"/proc/{pid}/cmdline"))
                and f"\0{self.node.name}\0" in command
            ):
                parents[pid] = read(f"/proc/{pid}/stat").rpartition(") ")[2].split()[1:2]
        return [pid for pid, parent in parents.items() if parent and parent[0] not in parents]

    @staticmethod
    def settle(shims):
        """Idle is when the figure has stopped to fall: a shim gives memory back when it was quiet
        for two seconds."""
        last = (0.0, 0.0)
        began = time.monotonic()
        while last[0] == 0.0 or time.monotonic() - last[1] < 3:
            now = sum(rollup(pid, "Pss") for pid in shims)
            if abs(now - last[0]) > 0.05:
                last = (now, time.monotonic())
            if time.monotonic() - began > 30:
                break
            time.sleep(0.25)

    def memory(self, many):
        for count in (1, many):
            pss, dirty, begin = {}, {}, conditions()
            for key in ("stock", "ward off", "ward enforce"):
                names = [self.detached(*VARIANTS[key]) for _ in range(count)]
                shims = self.shims()
                self.settle(shims)
                pss[key] = sum(rollup(pid, "Pss") for pid in shims) / count
                dirty[key] = sum(rollup(pid, "Private_Dirty") for pid in shims) / count
                for name in names:
                    self.remove(name)
            what = f"idle shim, {count} container{'s' if count > 1 else ''}"
            self.row(
                f"{what}: PSS each",
                "MiB",
                pss,
                reach=(3.0, 2.5 if count == 1 else 1.2),
                of="ward enforce",
                begin=begin,
            )
            self.row(
                f"{what}: private dirty each",
                "MiB",
                dirty,
                reach=(0.8,),
                of="ward enforce",
                begin=begin,
            )

    def violations(self, name):
        return [event for event in self.node.events(name) if event["kind"] == "violation"]

    def throughput(self, workload, program, rate, count, learn):
        """One container a variant, all alive at once, measured in turns. The profile is learned
        here."""
        for _ in range(2):
            instance = program(self.node, self.name(workload), WARD)
            learn(instance)
            instance.quit()
        self.apply(workload)
        instances = {
            "no profile": program(self.node, self.name("stock"), RUNC),
            "default profile": program(self.node, self.name("stock"), RUNC, ["--seccomp"]),
            "ward enforce": program(self.node, self.name(workload), WARD),
        }
        rounds = self.in_turns(
            {key: lambda i=instance: rate(i) for key, instance in instances.items()}, count
        )
        seen = self.violations(instances["ward enforce"].name)
        if seen:
            raise Broken(f"{workload}: the learned profile was violated: {seen[0]['syscall']}")
        # Recording costs every process of the machine a little, so it must not run beside the
        # others: before and after have to do, and its ratio is that of the medians, between the
        # quartiles of pairs that were not taken in turns.
        instances["ward learn"] = program(self.node, self.name("learn"), WARD)
        learning = self.in_turns({"ward learn": lambda: rate(instances["ward learn"])}, count)
        instances["ward learn"].quit()
        again = self.in_turns({"no profile": lambda: rate(instances["no profile"])}, count)
        self.compare(
            f"{workload}: enforcing / default profile",
            "req/s",
            rounds,
            "ward enforce",
            "default profile",
            (0.99,),
            True,
            ("no profile",),
        )
        values = {**again.medians(), **learning.medians()}
        low, _, high = quartiles(
            [a / b for a, b in zip(learning.samples["ward learn"], again.samples["no profile"])]
        )
        ratio = values["ward learn"] / values["no profile"]
        self.row(
            f"{workload}: learning / unconfined",
            "req/s",
            values,
            [min(low, ratio), ratio, max(high, ratio)],
            (0.85,),
            True,
            begin=learning.conditions,
            samples={**again.samples, **learning.samples},
        )
        for key in ("no profile", "default profile", "ward enforce"):
            instances[key].quit()


def line(row):
    values = "  ".join(f"{key} {value:g}" for key, value in row["values"].items())
    verdict = ", ".join(
        f"{target['bound']} {'reached' if target['reached'] else 'NOT REACHED'}"
        for target in row["reach"]
    )
    ratio = "{1:.3f} ({0:.3f} to {2:.3f})".format(*row["quartiles"]) if row["quartiles"] else ""
    return f"{row['name']:<68} {ratio:<24} {verdict:<32} [{row['unit']}] {values}" + (
        f"  ! {row['note']}" if row["note"] else ""
    )


def judge_short(rows):
    """What has to hold of continued calls on any machine and in any build: a call that is asked for
    costs something, and one that is in the filter is not asked for (that would cost 20 times as
    much as the call)."""
    wrong = []
    if any(value <= 0 for row in rows for value in row["values"].values()):
        wrong.append("a row measured nothing")
    asked, hot = rows[0]["values"], rows[-1]["ratio"]
    if asked["unlisted"] < 1.5 * asked["listed"]:
        wrong.append("the supervisor was not asked for the call that is not listed")
    if hot < 0.3:
        wrong.append(f"the hot call that was not learned runs at {hot:g} of a listed one's rate")
    return wrong


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--out", default="build/bench.json", help="where the JSON goes (default: %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rounds: a look, not a measurement"
    )
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="only this part; may be repeated"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=time.time_ns() % 1000000,
        help="of the order of the variants (default: the time)",
    )
    parser.add_argument(
        "--against",
        metavar="FILE",
        help="a kept run: exit status 1 where a row is worse than there beyond its quartiles",
    )
    parser.add_argument(
        "--short",
        action="store_true",
        help="half a minute: continued calls alone, and a verdict that holds in any build",
    )
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    options = parser.parse_args()
    if options.against:
        read_rows(options.against)
    quick, wanted = options.quick or options.short, options.only or PARTS
    if options.short:
        wanted = ("continued",)
    enter_mount_namespace()
    with PrivateNode(os.path.abspath(options.build)) as node:
        node.write_policy("bench", POLICY)
        node.start_containerd()
        node.start_wardd()
        for image in ("box", *(image for image in ("nginx", "redis") if image in wanted)):
            node.import_image(image)
        bench = Bench(node, 5 if quick else 40, options.seed, not options.short)
        if not options.short:
            bench.learn_box()
        seconds, rounds = (1, 2) if quick else (3, 10)
        parts = {
            "start": bench.start,
            "exec": bench.execs,
            "memory": lambda: bench.memory(5 if quick else 50),
            "pod": lambda: (
                pods.pod_start(bench, VARIANTS, BOX),
                pods.growth(bench, VARIANTS, BOX, rollup),
            ),
            "output": lambda: pods.output(bench, VARIANTS, BOX),
            "containment": lambda: containment(bench, 10 if quick else 200),
            "continued": lambda: continued(bench, BOX, quick),
            "flat": lambda: flat(bench, BOX, quick),
            "nginx": lambda: bench.throughput(
                "nginx",
                Nginx,
                lambda i: i.wrk("/", seconds),
                rounds,
                lambda i: (i.load(), i.reload()),
            ),
            "redis": lambda: bench.throughput(
                "redis",
                Redis,
                lambda i: statistics.mean(i.benchmark(20000 * seconds, "set,get").values()),
                rounds,
                lambda i: i.load(),
            ),
        }
        for part in wanted:
            parts[part]()
        left = node.end()
    if options.short:
        wrong = judge_short(bench.rows) + ([f"left behind: {left}"] if left else [])
        if wrong:
            raise Broken("\n".join(wrong))
        return
    result = {
        "kernel": os.uname().release,
        "cpus": os.cpu_count(),
        "runc": os.popen("runc --version").readline().strip(),
        "containerd": os.popen("containerd --version").readline().strip(),
        "quick": quick,
        "seed": options.seed,
        "rows": bench.rows,
    }
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    print(f"wrote {options.out}")
    if left:
        raise Broken("left behind: " + str(left))
    if options.against and compare(bench.rows, options.against):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"bench: {broken}")
    except KeyboardInterrupt:
        sys.exit("interrupted; everything was cleared away")
