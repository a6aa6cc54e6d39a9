# SPDX-License-Identifier: Apache-2.0
"""Ward beside the stock runtime: same containerd, same runc, same run, variants taken in turns so that a noisy machine is
noisy for all. Prints a table and writes JSON; nothing here decides whether a test passes."""
import argparse
import json
import os
import re
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("support", "workloads")]
import pods  # noqa: E402
from floor import Floor  # noqa: E402
from driver import Nginx, Redis  # noqa: E402
from private_node import RUNC, WARD, Broken, PrivateNode, enter_mount_namespace, read, wait_for  # noqa: E402

POLICY = """\
apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: bench}
spec:
  rules:
    - {match: {containers: ["off-*"]}, mode: "off"}
    - {match: {containers: ["box-*"]}, mode: enforce, profile: box, workload: box, missing: learn}
    - {match: {containers: ["kill-*"]}, mode: enforce, profile: box, workload: box, missing: learn, onViolation: {workload: {action: kill}}}
    - {match: {containers: ["nginx-*"]}, mode: enforce, profile: nginx, workload: nginx, missing: learn}
    - {match: {containers: ["redis-*"]}, mode: enforce, profile: redis, workload: redis, missing: learn}
    - {match: {containers: ["learn-*"]}, mode: learn, workload: again}
"""
BOX = "docker.io/ward/box:demo"
PARTS = ("start", "exec", "pod", "memory", "output", "containment", "nginx", "redis")
# name -> (prefix of the container's name, runtime, flags)
VARIANTS = {
    "stock": ("stock", RUNC, []), "stock+default": ("stock", RUNC, ["--seccomp"]),
    "ward off": ("off", WARD, []), "ward enforce": ("box", WARD, []),
}


def rollup(pid, key):
    """MiB of one process."""
    return int(re.search(rf"^{key}: *(\d+) kB", read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)[1]) / 1024


class Bench:
    def __init__(self, node, pairs):
        self.node, self.pairs, self.counter, self.rows = node, pairs, 0, []

    def name(self, prefix):
        self.counter += 1
        return f"{prefix}-{self.counter}"

    def row(self, name, unit, values, ratio=None, reach=None, of=None):
        """One line of the table. `reach` is an upper bound as a number, or ('>=', number)."""
        values = {key: round(value, 3) for key, value in values.items()}
        measured = ratio if ratio is not None else values.get(of)
        sign, bound = reach if isinstance(reach, tuple) else ("<=", reach)
        reached = None if reach is None or measured is None else (measured <= bound if sign == "<=" else measured >= bound)
        self.rows.append({"name": name, "unit": unit, "values": values, "ratio": ratio and round(ratio, 3),
                          "reach": reach and f"{sign} {bound}", "reached": reached})
        print(line(self.rows[-1]), flush=True)

    def in_turns(self, measures, rounds):
        """Medians of each measure over rounds in which all are taken, the order turning."""
        samples = {key: [] for key in measures}
        keys = list(measures)
        for number in range(rounds):
            for key in keys[number % len(keys):] + keys[:number % len(keys)]:
                samples[key].append(measures[key]())
        return {key: statistics.median(values) for key, values in samples.items()}

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
        wait_for(lambda: (self.node.task(name) or (0, "STOPPED"))[1] == "STOPPED", f"{name} to stop")
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
            return lambda: self.timed("run", "--rm", "--runtime", runtime, *flags, BOX, self.name(prefix), "/box", "true")
        floor = Floor(self, RUNC, [], BOX)
        values = self.in_turns({**{key: measure(*variant) for key, variant in VARIANTS.items()},
                                "ctr alone": floor.client, "runc create, start, delete alone": floor.life}, self.pairs)
        self.remove(floor.container)
        self.row("ctr run --rm true: ward off / stock without a profile", "ms", values, values["ward off"] / values["stock"], 0.75)
        self.row("ctr run --rm true: ward enforcing / stock with the default profile", "ms", values,
                 values["ward enforce"] / values["stock+default"], 0.75)

    def execs(self):
        names = {key: self.detached(*VARIANTS[key]) for key in VARIANTS}

        def measure(name):
            return lambda: self.timed("task", "exec", "--exec-id", self.name("e"), name, "/box", "true")
        floor = Floor(self, RUNC, [], BOX)
        values = self.in_turns({**{key: measure(name) for key, name in names.items()}, "ctr alone": floor.client, "runc exec alone": floor.exec},
                               self.pairs)
        self.remove(floor.container)
        self.row("exec of true: ward off / stock", "ms", values, values["ward off"] / values["stock"], 0.75)
        self.row("exec of true: ward enforcing / stock with the default profile", "ms", values,
                 values["ward enforce"] / values["stock+default"], 0.75)
        for name in names.values():
            self.remove(name)

    def shims(self):
        """pid of each shim of this node."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if "containerd-shim-" in (command := read(f"/proc/{pid}/cmdline")) and f"\0{self.node.name}\0" in command:
                yield pid

    @staticmethod
    def settle(shims):
        """Idle is when the figure has stopped to fall: a shim gives memory back when it was quiet for two seconds."""
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
            pss, dirty = {}, {}
            for key in ("stock", "ward off", "ward enforce"):
                names = [self.detached(*VARIANTS[key]) for _ in range(count)]
                shims = list(self.shims())
                self.settle(shims)
                pss[key] = sum(rollup(pid, "Pss") for pid in shims) / count
                dirty[key] = sum(rollup(pid, "Private_Dirty") for pid in shims) / count
                for name in names:
                    self.remove(name)
            alone = count == 1
            self.row(f"idle shim, {count} container{'s' if count > 1 else ''}: PSS each", "MiB", pss, reach=2.5 if alone else 1.2, of="ward enforce")
            self.row(f"idle shim, {count} container{'s' if count > 1 else ''}: private dirty each", "MiB", dirty,
                     reach=0.8, of="ward enforce")

    def violations(self, name):
        return [event for event in self.node.events(name) if event["kind"] == "violation"]

    def containment(self, count):
        """A container each: after a release the same call is denied for a while and not contained again."""
        for prefix, state, what in (("box", "PAUSED", "notification to frozen"), ("kill", "STOPPED", "notification to all processes dead")):
            contained = []
            for _ in range(count):
                name = self.detached(prefix, WARD, command=("/box", "entry", "/trigger", "/box", "wait"))
                self.node.poke(name, "unshare")
                wait_for(lambda n=name, s=state: self.node.task(n)[1] == s, f"{name} to be {state}")
                contained += [e["contained_us"] for e in wait_for(lambda n=name: self.violations(n), "the event")]
                self.remove(name)
            self.percentiles(what, contained)

    def percentiles(self, what, us):
        ms = sorted(value / 1000 for value in us)
        values = {"p50": statistics.median(ms), "p99": ms[min(len(ms) - 1, round(0.99 * (len(ms) - 1)))], "max": ms[-1]}
        self.row(f"{what}, {len(ms)} violations", "ms", values, reach=10.0, of="p99")

    def throughput(self, workload, program, rate, rounds, learn):
        """One container a variant, all alive at once, measured in turns. The profile is learned here."""
        for _ in range(2):
            instance = program(self.node, self.name(workload), WARD)
            learn(instance)
            instance.quit()
        self.apply(workload)
        instances = {
            "no profile": program(self.node, self.name("stock"), RUNC), "default profile": program(self.node, self.name("stock"), RUNC, ["--seccomp"]),
            "ward enforce": program(self.node, self.name(workload), WARD)}
        values = self.in_turns({key: lambda i=instance: rate(i) for key, instance in instances.items()}, rounds)
        seen = self.violations(instances["ward enforce"].name)
        if seen:
            raise Broken(f"{workload}: the learned profile was violated: {seen[0]['syscall']}")
        # Recording costs every process of the machine a little, so it must not run beside the others.
        instances["ward learn"] = program(self.node, self.name("learn"), WARD)
        learning = self.in_turns({key: lambda i=instances[key]: rate(i) for key in ("ward learn",)}, rounds)
        instances["ward learn"].quit()
        again = self.in_turns({"no profile": lambda: rate(instances["no profile"])}, rounds)
        values["ward learn"] = learning["ward learn"]
        self.row(f"{workload}: enforcing / default profile", "req/s", values, values["ward enforce"] / values["default profile"], (">=", 0.99))
        self.row(f"{workload}: learning / unconfined", "req/s", {**learning, **again}, learning["ward learn"] / again["no profile"], (">=", 0.85))
        for key in ("no profile", "default profile", "ward enforce"):
            instances[key].quit()


def line(row):
    values = "  ".join(f"{key} {value:g}" for key, value in row["values"].items())
    verdict = "" if row["reached"] is None else ("reached" if row["reached"] else "NOT REACHED")
    ratio = f"{row['ratio']:.3f}" if row["ratio"] is not None else ""
    return f"{row['name']:<68} {ratio:>7} {row['reach'] or '':>8} {verdict:<12} [{row['unit']}] {values}"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--out", default="build/bench.json", help="where the JSON goes (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="few rounds: a look, not a measurement")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part; may be repeated")
    options = parser.parse_args()
    quick, wanted = options.quick, options.only or PARTS
    enter_mount_namespace()
    with PrivateNode(os.path.join(ROOT, "build", "release")) as node:
        node.write_policy("bench", POLICY)
        node.start_containerd()
        node.start_wardd()
        for image in ("box", "nginx", "redis"):
            node.import_image(image)
        bench = Bench(node, 5 if quick else 40)
        bench.learn_box()
        seconds, rounds = (1, 2) if quick else (3, 10)
        parts = {
            "start": bench.start, "exec": bench.execs, "memory": lambda: bench.memory(5 if quick else 50),
            "pod": lambda: (pods.pod_start(bench, VARIANTS, BOX), pods.growth(bench, VARIANTS, BOX, rollup)),
            "output": lambda: pods.output(bench, VARIANTS, BOX),
            "containment": lambda: bench.containment(10 if quick else 200),
            "nginx": lambda: bench.throughput("nginx", Nginx, lambda i: i.wrk("/", seconds), rounds, lambda i: (i.load(), i.reload())),
            "redis": lambda: bench.throughput("redis", Redis, lambda i: statistics.mean(i.benchmark(20000 * seconds, "set,get").values()), rounds,
                                              lambda i: i.load())}
        for part in wanted:
            parts[part]()
        left = node.end()
    result = {"kernel": os.uname().release, "cpus": os.cpu_count(), "runc": os.popen("runc --version").readline().strip(),
              "containerd": os.popen("containerd --version").readline().strip(), "quick": quick, "rows": bench.rows}
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    print(f"wrote {options.out}")
    if left:
        raise Broken("left behind: " + str(left))


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"bench: {broken}")
    except KeyboardInterrupt:
        sys.exit("interrupted; everything was cleared away")
