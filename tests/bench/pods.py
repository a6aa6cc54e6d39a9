# SPDX-License-Identifier: Apache-2.0
"""What a pod costs: its start, what its shim holds after much work and under many waiters, and how
fast output passes."""
import os
import subprocess
import time

from private_node import CONTAINERD_STATE, Broken
from ttrpc_waits import Waits

MEBIBYTE = 1 << 20
OUTPUT_BYTES = 1 << 30
# containers with the same value share the shim of that container
GROUP = "io.kubernetes.cri.sandbox-id"


def start_pod(bench, prefix, runtime, flags, image):
    """Names of a sandbox container and two more, all in one shim; the last started is the first."""
    names = [bench.name(prefix)]
    bench.node.ctr("run", "-d", "--runtime", runtime, *flags, image, names[0], "/box", "wait")
    for _ in range(2):
        names.insert(0, bench.name(prefix))
        bench.node.ctr(
            "run",
            "-d",
            "--runtime",
            runtime,
            *flags,
            "--annotation",
            f"{GROUP}={names[-1]}",
            image,
            names[0],
            "/box",
            "wait",
        )
    return names


def pod_start(bench, variants, image):
    def measure(variant):
        def once():
            begin = time.monotonic()
            names = start_pod(bench, *variant, image)
            took = (time.monotonic() - begin) * 1000
            for name in names:
                bench.remove(name)
            return took

        return once

    rounds = bench.in_turns({key: measure(variants[key]) for key in variants}, min(bench.pairs, 30))
    bench.compare(
        "pod of three containers, start: ward off / stock",
        "ms",
        rounds,
        "ward off",
        "stock",
        (0.80,),
    )
    bench.compare(
        "pod of three containers, start: ward enforcing / stock with the default profile",
        "ms",
        rounds,
        "ward enforce",
        "stock+default",
        (0.80,),
    )


def growth(bench, variants, image, rollup):
    """Of the private dirty memory of a pod's shim, each time when it is idle again."""
    work = 100 if bench.pairs > 5 else 10
    after = {"execs": {}, "cycles": {}, "waits": {}}
    for key in ("stock", "ward enforce"):
        prefix, runtime, flags = variants[key]
        names = start_pod(bench, prefix, runtime, flags, image)
        (pid,) = bench.shims()

        def execs(count, name=names[0]):
            for _ in range(count):
                bench.node.ctr("task", "exec", "--exec-id", bench.name("e"), name, "/box", "true")

        def cycles(count, variant=(prefix, runtime, flags), sandbox=names[-1]):
            for _ in range(count):
                bench.node.ctr(
                    "run",
                    "--rm",
                    "--runtime",
                    variant[1],
                    *variant[2],
                    "--annotation",
                    f"{GROUP}={sandbox}",
                    image,
                    bench.name(variant[0]),
                    "/box",
                    "true",
                )

        execs(5)
        cycles(5)

        def held(shim=pid):
            bench.settle([shim])
            return rollup(shim, "Private_Dirty")

        before = held()
        execs(work)
        between = held()
        after["execs"][key] = between - before
        cycles(work)
        idle = held()
        after["cycles"][key] = idle - between
        with open(
            os.path.join(
                CONTAINERD_STATE,
                "io.containerd.runtime.v2.task",
                bench.node.name,
                names[-1],
                "address",
            ),
            encoding="ascii",
        ) as file:
            waits = Waits(file.read().strip().removeprefix("unix://"), names[0], 1000)
        after["waits"][key] = held() - idle
        bench.remove(names[0])
        if (answered := waits.answers()) != waits.count:
            raise Broken(f"{key}: {answered} of {waits.count} waiters were told of the end")
        for name in names[1:]:
            bench.remove(name)
    bench.row(
        f"shim of a pod: growth by {work} execs",
        "MiB",
        after["execs"],
        reach=(0.1,),
        of="ward enforce",
    )
    bench.row(
        f"shim of a pod: growth by {work} containers",
        "MiB",
        after["cycles"],
        reach=(0.1,),
        of="ward enforce",
    )
    bench.row(
        "shim of a pod: growth by 1000 waiters at once",
        "MiB",
        after["waits"],
        reach=(1.0,),
        of="ward enforce",
    )


def output(bench, variants, image):
    def measure(prefix, runtime, flags):
        def once():
            begin = time.monotonic()
            command = bench.node.ctr_command(
                "run",
                "--rm",
                "--runtime",
                runtime,
                *flags,
                image,
                bench.name(prefix),
                "/box",
                "write",
                str(OUTPUT_BYTES),
            )
            subprocess.run(
                command,
                env=bench.node.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=120,
            )
            return OUTPUT_BYTES / MEBIBYTE / (time.monotonic() - begin)

        return once

    rounds = bench.in_turns(
        {key: measure(*variants[key]) for key in ("stock", "ward off")},
        12 if bench.pairs > 5 else 2,
    )
    bench.compare(
        "1 GiB of output to a FIFO: ward off / stock",
        "MiB/s",
        rounds,
        "ward off",
        "stock",
        (1.0,),
        at_least=True,
    )
