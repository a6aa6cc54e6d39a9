# SPDX-License-Identifier: Apache-2.0
"""How well do learned profiles do? Programs of Debian 12 are learned with one exercise, and live
another one under the profile, in the postures balanced and strict, on a private containerd and
wardd. A line of JSON for each program goes to the screen behind `result: `, and to a file, so that
an interrupted evaluation goes on where it was."""
import argparse
import contextlib
import glob
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("support", "workloads", "evaluate")]
import programs  # noqa: E402
from measure import CLASSES, Measurement  # noqa: E402
from private_node import Broken, PrivateNode, enter_mount_namespace  # noqa: E402
from troubles import SmallDisk  # noqa: E402

HERE = os.path.join(ROOT, "tests", "evaluate")
PARTS = ("shim/containerd-shim-ward-v1", "enforcer/wardd", "cli/ward")
STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


def key(build, name):
    """Of all that a row depends on: Ward's programs, what measures, and the program's exercises."""
    digest = hashlib.sha256()
    sources = glob.glob(HERE + "/*") + glob.glob(HERE + "/apps/*")
    sources += [os.path.join(HERE, "programs", name + ".py")]
    sources += [os.path.join(build, part) for part in PARTS]
    for path in sorted(sources):
        if os.path.isfile(path) and not path.endswith("page.py"):
            with open(path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def compiled_probes(build):
    path = os.path.join(build, "evaluation", "probes")
    subprocess.run(
        ["cc", "-static", "-O2", "-s", "-o", path, os.path.join(HERE, "probes.c")], check=True
    )
    return path


def summary(row):
    words = []
    for posture, kept in row["postures"].items():
        b = {harm: 0 for harm in CLASSES}
        for violation in kept["b"]["violations"]:
            b[violation["class"]] += 1
        told = ", ".join(f"{count} {harm}" for harm, count in b.items() if count)
        words.append(
            f"{posture}: a {kept['a']['violations']} in {kept['a']['runs']} runs, "
            f"b {told or 'nothing'}{'' if kept['b']['right'] else ' (answers differ)'}"
            f"{', stopped' if kept['b_quarantine']['stopped'] else ''}, after the rehearsal "
            f"{len(kept['after_rehearsal']['violations'])}, exec {kept['exec']['work']}/"
            f"{kept['exec']['of']}, probes {kept['probes']['stopped']}/{kept['probes']['of']}"
        )
    return f"{row['program']} ({row['seconds']} s): " + "; ".join(words)


def evaluate(options, build, names):
    rows, failed, idle = {}, [], {}
    keys = {name: key(build, name) for name in names}
    kept = os.path.join(build, "evaluation")
    os.makedirs(kept, exist_ok=True)
    for name in names:
        path = os.path.join(kept, name + ".json")
        if os.path.exists(path) and not (options.fresh or options.short):
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            if document["key"] == keys[name]:
                rows[name] = document["row"]
                say(f"{name} is measured already")

    def keep(name, measurement):
        """What it did while nobody asked anything of it completes a row."""
        rows[name]["idle"] = measurement.idle_end()
        with open(os.path.join(kept, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"key": keys[name], "row": rows[name]}, file, indent=1)

    probes = compiled_probes(build)
    with PrivateNode(build) as node, contextlib.ExitStack() as disks:
        disk = disks.enter_context(SmallDisk(node))
        node.start_containerd()
        node.start_wardd()
        for name in [name for name in names if name not in rows]:
            at = f"{len(rows) + 1} of {len(names)}, {name}"
            say(at)
            measurement = Measurement(
                node,
                disk,
                programs.load(name),
                probes,
                options.short,
                lambda step, at=at: say(f"{at}: {step}"),
            )
            try:
                row = measurement.row()
            except Broken as broken:
                say(f"{name} FAILED: {broken}")
                failed.append(name)
                continue
            except (OSError, LookupError, ValueError, subprocess.SubprocessError):
                say(f"{name} FAILED:\n{traceback.format_exc()}")
                failed.append(name)
                continue
            rows[name] = row
            say(summary(row))
            if not options.short:
                idle[name] = measurement
            for other in [n for n, one in idle.items() if not one.idle_left()]:
                keep(other, idle.pop(other))
        if idle:
            say(f"left alone for {max(one.idle_left() for one in idle.values()):.0f} s more")
        for name, measurement in idle.items():
            time.sleep(measurement.idle_left())
            keep(name, measurement)
        disks.close()
        if left := node.end():
            raise Broken("something is left: " + "\n".join(" ".join(x) for x in left))
    return rows, failed


def judge_short(rows):
    """What has to hold of the short form, which CI runs."""
    wrong = []
    for name, row in rows.items():
        kept = row["postures"]["balanced"]
        if kept["a"]["violations"] or kept["a"]["as_learned"] != kept["a"]["runs"]:
            wrong.append(f"{name}: exercise a is stopped: {kept['a']}")
        if harmless := [v for v in kept["b"]["violations"] if v["class"] in ("self", "held")]:
            wrong.append(f"{name}: a harmless call of exercise b is a violation: {harmless}")
        for trouble, seen in row["troubles"].items():
            if harmless := [v for v in seen["violations"] if v["class"] in ("self", "held")]:
                wrong.append(f"{name}: a harmless call is a violation, {trouble}: {harmless}")
        if kept["exec"]["work"] != kept["exec"]["of"]:
            wrong.append(f"{name}: commands fail: {kept['exec']['failed']}")
        if kept["after_rehearsal"]["violations"]:
            wrong.append(f"{name}: after the rehearsal: {kept['after_rehearsal']}")
    return wrong


def main():
    parser = argparse.ArgumentParser(prog="scripts/evaluate", description=__doc__)
    parser.add_argument("programs", nargs="*", help=f"of: {' '.join(programs.NAMES)}; none: all")
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured")
    parser.add_argument(
        "--short",
        action="store_true",
        help="a minute: one run of dash and memcached, and a verdict",
    )
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    options = parser.parse_args()
    names = options.programs or (["dash", "memcached"] if options.short else programs.NAMES)
    if unknown := set(names) - set(programs.NAMES):
        parser.error(f"no program '{sorted(unknown)[0]}': use of {' '.join(programs.NAMES)}")
    rows, failed = evaluate(options, os.path.abspath(options.build), names)
    for name in names:
        if name in rows:
            if options.short:
                print(summary(rows[name]))
            else:
                print("result: " + json.dumps(rows[name]))
    wrong = judge_short(rows) if options.short else []
    say(f"{len(rows)} programs measured, {len(failed)} failed" + "".join("\n" + w for w in wrong))
    sys.exit(1 if failed or wrong else 0)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        enter_mount_namespace()
        main()
    except Broken as broken:
        sys.exit(f"\nFAILED: {broken}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; everything was cleared away; the next run goes on from here")
