# SPDX-License-Identifier: Apache-2.0
"""What the C libraries and the runtimes of languages call at the moments of a life that no
recording shows: measured by Ward's own recorder in containers of Debian 12 and 13, and lived once
more under a profile that lists nothing, of posture balanced, in mode supervise. And how many
ordinary commands work in exec sessions under that profile. A line of JSON for each runtime and
release goes to the screen behind `result: `."""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [
    os.path.join(ROOT, "tests", part) for part in ("support", "workloads", "evaluate", "baselines")
]
import trees  # noqa: E402
from commands import Commands, musl_tree  # noqa: E402
from moments import RUNTIMES, VERSIONS  # noqa: E402
from names import Names  # noqa: E402
from private_node import CONTAINERD_STATE, WARD, Broken, PrivateNode, wait_for  # noqa: E402
from private_node import enter_mount_namespace  # noqa: E402
import roots  # noqa: E402

RELEASES = ("bookworm", "trixie")
AT_ONCE = 3
PATH = "PATH=/usr/bin:/bin:/usr/sbin:/sbin"
STARTED = time.monotonic()
POLICY = """\
apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: baselines}
spec:
  rules:
    - {match: {containers: ["learn-*"]}, mode: learn, workload: "{container}"}
    - match: {containers: ["governed-*"]}
      mode: supervise
      profile: nothing
      onViolation: {workload: {action: deny}}
    - {match: {containers: ["enforced-*"]}, mode: enforce, profile: nothing}
"""
# Capabilities are not what is measured.
NOTHING = """\
apiVersion: ward.dev/v1alpha1
kind: Profile
metadata: {name: nothing, version: 1}
spec:
  architectures: [x86_64]
  noNewPrivileges: true
  posture: balanced
  syscalls: {serving: []}
  capabilities: [CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_MKNOD,
                 CAP_SETGID, CAP_SETUID, CAP_SETFCAP, CAP_SETPCAP, CAP_NET_BIND_SERVICE,
                 CAP_NET_RAW, CAP_SYS_CHROOT, CAP_AUDIT_WRITE]
"""


def say(text):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


class Containers:
    """Of root file systems that are directories. Their first process is not that of a PID
    namespace, for the kernel takes the default action of no signal there."""

    def __init__(self, node, names):
        self.node, self.names = node, names
        self.holder = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "sleep", "infinity"]
        )
        children = f"/proc/{self.holder.pid}/task/{self.holder.pid}/children"

        def held():
            with open(children, encoding="ascii") as file:
                return file.read().split()

        (child,) = wait_for(held, "the PID namespace")
        self.pids = f"/proc/{child}/ns/pid"

    def run(self, container, root, command, runtime=WARD, *flags, moment=""):
        resolver = self.names.resolver_of(moment)
        return self.node.ctr_command(
            *["run", "--runtime", runtime, *flags, "--cwd", "/tmp", "--env", PATH],
            *["--with-ns", "network:" + self.names.network, "--with-ns", "pid:" + self.pids],
            *["--mount", "type=tmpfs,src=tmpfs,dst=/tmp,options=nosuid"],
            *["--mount", f"type=bind,src={resolver},dst=/etc/resolv.conf,options=bind:ro"],
            *["--rootfs", root, container, *command],
        )

    def live(self, container, root, command, moment):
        """The exit status, and what it wrote."""
        done = subprocess.run(
            self.run(container, root, command, WARD, "--rm", moment=moment),
            env=self.node.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout[-600:].decode(errors="replace")

    def remove(self, container):
        node = self.node
        node.ctr("task", "kill", "-s", "KILL", "-a", container, check=False)
        wait_for(
            lambda: (node.task(container) or (0, "STOPPED"))[1] == "STOPPED", container + " to stop"
        )
        node.ctr("task", "delete", "-f", container, check=False)
        node.ctr("container", "delete", container, check=False)

    def clear(self):
        self.holder.kill()
        self.holder.wait()


class Measurement:
    def __init__(self, containers, runtime, release, root):
        self.containers, self.node = containers, containers.node
        self.runtime, self.release, self.root = runtime, release, root

    def live(self, mode, moment):
        """The name of the container. One that could not be made or deleted, for reasons of the node
        (it says so as `ctr: `), is lived again."""
        wanted = self.runtime.status(moment)
        for name in ("", "-again", "-once-more"):
            container = f"{mode}-{self.runtime.name}-{self.release}-{moment}{name}"
            status, said = self.containers.live(
                container, self.root, self.runtime.words(moment), moment
            )
            if status == wanted:
                return container
            if "ctr: " not in said:
                break
            self.containers.remove(container)
        told = [(event["kind"], event["reason"]) for event in self.node.events(container)]
        raise Broken(f"{container} ends with {status}, not {wanted}:\n{said}\nevents: {told}")

    def recorded(self, workload):
        def ended():
            done = self.node.ward("--output", "json", "learn", "show", workload, check=False)
            document = json.loads(done.stdout) if done.returncode == 0 else {"runs": []}
            over = [run for run in document["runs"] if int(run["ended_wall_ns"])]
            return over and document

        document = wait_for(ended, f"the recording of {workload} to end", 20)
        if int(document["lost_events"]):
            raise Broken(f"the recording of {workload} has losses")
        return {call["name"] for call in document["syscalls"] if call["by_workload"]}

    def governed(self, container):
        """Calls that posture balanced would have stopped, and those that it let run and wrote down:
        with the registers of each."""
        before, events = None, []
        while events != before:
            before, events = events, self.node.events(container)
            time.sleep(0.1)
        out = {"violation": {}, "tolerated": {}}
        for event in events:
            if event["kind"] in out and event["syscall"]:
                # Addresses differ from run to run and mean nothing here.
                shown = f"{event['syscall']}({', '.join(event['args_text'])})"
                shown = re.sub("0x[0-9a-f]{7,}", "&", shown)
                out[event["kind"]][shown] = {
                    "call": event["syscall"],
                    "nr": event["syscall_nr"],
                    "args": [int(value) for value in event["args"]],
                    "shown": shown,
                    "phase": event["phase"],
                }
        return [[kept[key] for key in sorted(kept)] for kept in out.values()]

    def moment(self, moment):
        workload = self.live("learn", moment)
        calls = self.recorded(workload)
        stopped, let_run = self.governed(self.live("governed", moment))
        return {
            "moment": moment,
            "status": self.runtime.status(moment),
            "calls": calls,
            "stopped": stopped,
            "let_run": let_run,
        }

    def row(self):
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            lived = list(pool.map(self.moment, self.runtime.moments()))
        first = lived[0]["calls"]
        for one in lived:
            one["calls"] = " ".join(
                sorted(one["calls"] - (first if one is not lived[0] else set()))
            )
        return {
            "runtime": self.runtime.name,
            "release": self.release,
            "version": roots.run(
                ["chroot", self.root, "sh", "-c", VERSIONS[self.runtime.name]]
            ).strip(),
            "moments": lived,
            "seconds": round(time.monotonic() - began),
        }


def prepare(node):
    path = os.path.join(node.directory, "nothing.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(NOTHING)
    node.start_containerd()
    node.start_wardd()
    node.ward("profile", "apply", path)
    before = node.ward_json("status")["index_generation"]
    node.write_policy("baselines", POLICY)
    wait_for(lambda: node.ward_json("status")["index_generation"] > before, "the policy")


def measure(options, node, containers):
    failed = 0
    measured = {release: trees.compiled(release) for release in options.release or RELEASES}

    def row(what, make):
        nonlocal failed
        try:
            say(what)
            made = make()
            print("result: " + json.dumps(made), flush=True)
            return made
        except Broken as broken:
            say(f"{what} FAILED: {broken}")
            failed += 1
            return None

    for release, root in measured.items():
        for runtime in RUNTIMES:
            if not options.runtime or runtime.name in options.runtime:
                measurement = Measurement(containers, runtime, release, root)
                row(f"{runtime.name} of {release}", measurement.row)
    if not options.runtime or "commands" in options.runtime:
        commands = Commands(containers)
        images = [(release, root, "glibc") for release, root in measured.items()]
        for name, root, libc in [*images, ("busybox", musl_tree(), "musl")]:
            row(f"commands of {name}", lambda: commands.row(name, root, libc))
    return failed


def main():
    parser = argparse.ArgumentParser(prog="scripts/baselines", description=__doc__)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--release", action="append", choices=RELEASES, help="only this one")
    parser.add_argument(
        "--runtime",
        action="append",
        choices=[*(runtime.name for runtime in RUNTIMES), "commands"],
        help="only this one; may be repeated",
    )
    options = parser.parse_args()
    with PrivateNode(os.path.abspath(options.build)) as node:
        prepare(node)
        names = Names(os.path.dirname(CONTAINERD_STATE))
        containers = Containers(node, names)
        try:
            failed = measure(options, node, containers)
        finally:
            containers.clear()
            names.clear()
        if left := node.end():
            raise Broken("something is left: " + "\n".join(" ".join(x) for x in left))
    say("measured" + (f", {failed} FAILED" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        enter_mount_namespace()
        main()
    except Broken as broken:
        sys.exit(f"\nFAILED: {broken}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; everything was cleared away")
