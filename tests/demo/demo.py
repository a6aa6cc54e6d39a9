# SPDX-License-Identifier: Apache-2.0
"""Ward's main job, end to end, on a private containerd with real nginx and redis. Nothing is
printed that was not checked."""
import json
import os
import re
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests", part) for part in ("support", "workloads")]
from driver import (
    Nginx,
    Redis,
    capability_names,
    cgroup_directories,
    processes_in,
    status,
)  # noqa: E402
from private_node import (
    WARD,
    Broken,
    PrivateNode,
    enter_mount_namespace,
    read,
    wait_for,
)  # noqa: E402

POLICY = """\
apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: demo}
spec:
  rules:
    - {match: {containers: ["nginx-*"]}, mode: enforce, profile: nginx, workload: nginx,
       missing: learn}
    - match: {containers: ["redis-*"]}
      mode: enforce
      profile: redis
      workload: redis
      missing: learn
      onViolation: {workload: {action: kill}}
"""
DOCKER_ALLOWS = 292  # of the names in DOCKER those that x86_64 has
with open(
    os.path.join(ROOT, "tests", "golden", "seccomp", "docker-like.json"), encoding="utf-8"
) as golden:
    DOCKER = {
        name
        for rule in json.load(golden)["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args")
        for name in rule["names"]
    }
STARTED = time.monotonic()


def step(number, title):
    print(f"\n[{number}/7] {title}  ({time.monotonic() - STARTED:.0f} s)", flush=True)


def claim(holds, text, otherwise=""):
    if not holds:
        raise Broken(f"does not hold: {text}\n{otherwise}")
    print(f"  ok  {text}", flush=True)


def show(command, text, lines=14, last=""):
    """The first lines of an output and, where it ends in what must be seen, all of `last`."""
    print(f"  $ {command}")
    shown = text.strip().splitlines()
    for line in shown[:lines]:
        print("    " + line[:150])
    if len(shown) > lines:
        print(f"    ... {len(shown) - lines} more lines")
    for line in last.strip().splitlines():
        print("    " + line)
    sys.stdout.flush()


def container(node, name):
    """The row of `ward ps`."""
    return next((row for row in node.ward_json("ps")["containers"] if row["id"] == name), None)


def violations(node, name):
    return [event for event in node.events(name) if event["kind"] == "violation"]


def learn(node, workload, program, life):
    for run in (1, 2):
        instance = program(node, f"{workload}-{run}", WARD)
        row = container(node, instance.name)
        claim(
            row and row["mode"] == "learn" and row["recording_id"],
            f"{instance.name} runs in mode learn, recording {row and row['recording_id'][:12]}",
            str(row),
        )
        said = life(instance)
        claim(instance.quit() == 0, f"{instance.name}: {said}, stopped gracefully with exit code 0")
    table, title, coverage = node.ward("learn", "show", workload).stdout.partition(
        "How much is probably unseen\n"
    )
    show(f"ward learn show {workload}", table, 10, title + coverage)
    known = node.ward_json("learn", "show", workload)["coverage"]
    claim(
        known["verdict"]
        and known["verdict"] in coverage
        and known["windows"] > 0
        and (known["estimated_total"] > 0) == known["estimated"]
        and known["life_events_seen"],
        "it says how much is probably unseen, what of a life was seen"
        + ("" if known["reliable"] else ", and that two short runs are not enough to rely on it"),
        coverage,
    )


def generate(node, workload):
    path = os.path.join(node.directory, workload + ".yaml")
    generated = node.ward("profile", "generate", workload, "--posture", "strict", "-o", path)
    show(
        f"ward profile generate {workload} --posture strict -o {workload}.yaml",
        (generated.stdout + generated.stderr).replace(node.directory + "/", ""),
    )
    yaml = read(path)
    claim("kind: Profile" in yaml, f"{workload}.yaml is a profile of {len(yaml)} bytes")
    done = node.ward("profile", "apply", path)
    show(f"ward profile apply {workload}.yaml", done.stdout + done.stderr, 4)
    row = next(p for p in node.ward_json("profile", "list")["profiles"] if p["name"] == workload)
    compared = re.search(
        r"in force: (\d+) calls .* Docker's default allows (\d+)\n(\d+) calls", generated.stderr
    )
    allowed, docker, closed = map(int, compared.groups()) if compared else (0, 0, 0)
    claim(
        30 <= allowed == row["syscalls"] < docker == DOCKER_ALLOWS,
        f"it allows {allowed} syscalls; Docker's default allows {docker}",
        generated.stderr,
    )
    # Open is what the filter lets pass, and what it asks about though the profile names it (execve;
    # what only boot may do).
    rules = json.loads(node.ward("profile", "compile", "--format", "supervised", path).stdout)[
        "syscalls"
    ]
    passes = {
        name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]
    }
    named = set(
        re.findall(
            r"\w+", re.sub("#.*", "", yaml).split("  syscalls:", 1)[-1].split("capabilities:", 1)[0]
        )
    )
    closed_again = DOCKER_ALLOWS - len((passes | named) & DOCKER)
    claim(
        closed == closed_again,
        f"{closed} of Docker's are closed: the same, counted in the filter itself",
        f"{closed_again}, not {closed}:\n{sorted((passes | named) & DOCKER)}\n{yaml}",
    )
    return set(
        re.findall(r"CAP_\w+", yaml.split("capabilities:", 1)[-1].split("onViolation", 1)[0])
    )


def check_enforced(instance, pid, capabilities, who):
    facts = status(pid)
    bounding = capability_names(facts["CapBnd"])
    claim(facts["Seccomp"] == "2", f"/proc/{pid}/status of {who} says Seccomp: 2")
    claim(
        bounding == capabilities,
        f"and its bounding set is the profile's: {' '.join(sorted(bounding)) or 'none'}",
        f"profile: {sorted(capabilities)}, process: {sorted(bounding)}",
    )
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        if not capability_names(facts[name]) <= capabilities:
            raise Broken(f"{instance.name}: {name} is more than the profile allows: {facts[name]}")


def quarantine(node, instance, attack):
    namespaces = os.readlink(f"/proc/{instance.pid}/ns/user")
    node.poke(instance.name, attack)
    wait_for(
        lambda: (node.task(instance.name) or (0, ""))[1] == "PAUSED",
        f"{instance.name} to be frozen",
        10,
    )
    claim(True, f"`ctr task ls` shows {instance.name} PAUSED")
    everybody = processes_in(cgroup_directories(instance.pid))
    claim(
        instance.pid in everybody
        and len(everybody) > len(instance.children())
        and {os.readlink(f"/proc/{pid}/ns/user") for pid in everybody} == {namespaces},
        f"the call did not execute: none of the {len(everybody)} processes has another user "
        "namespace",
        str(everybody),
    )
    return everybody


def show_violation(node, name, call, action):
    event = wait_for(
        lambda: next(iter(violations(node, name)), None),
        f"the violation of {name} in `ward events`",
        10,
    )
    claim(
        event["syscall"] == call,
        f"`ward events` names the call: {call}"
        f"({', '.join(event['args_text'] or map(str, event['args']))})",
        str(event),
    )
    claim(
        event["pid"] > 0 and event["comm"] and event["profile_digest"],
        f"pid {event['pid']}, command {event['comm']}, profile {event['profile_digest'][:12]}",
    )
    done = {"quarantine": "quarantined", "kill": "killed"}[action]
    claim(
        event["action"] == action
        and event["outcome"].split(";")[0] == done
        and event["contained_us"] > 0,
        f"action {event['action']}: {event['outcome']}, contained {event['contained_us']} us "
        "after the notification",
        str(event),
    )
    return event


def main():
    print("Ward demo: a private containerd, a real nginx, a real redis.", flush=True)
    with PrivateNode(os.path.join(ROOT, "build", "release")) as node:
        step(1, "containerd, wardd, images out of Debian's packages")
        node.write_policy("demo", POLICY)
        node.start_containerd()
        node.start_wardd()
        claim(
            node.ctr("version").returncode == 0,
            "containerd answers: " + node.command(["containerd", "--version"]).stdout.strip(),
        )
        claim(
            not [p for p in node.ward_json("status")["problems"] if not p.startswith("warning:")],
            "wardd answers, recorder: " + node.ward_json("status")["recorder"],
        )
        for image in ("nginx", "redis"):
            node.import_image(image)
            claim(
                f"docker.io/ward/{image}:demo" in node.ctr("image", "ls", "-q").stdout,
                f"image docker.io/ward/{image}:demo imported",
            )

        step(2, "learn: what does nginx really do?")

        def nginx_life(nginx):
            rate = nginx.load()
            nginx.reload()
            nginx.load(1)
            return f"{rate:.0f} requests/s, reloaded"

        learn(node, "nginx", Nginx, nginx_life)

        step(3, "generate: a profile out of what was seen")
        capabilities = generate(node, "nginx")

        step(4, "enforce: the same life, no violation")
        nginx = Nginx(node, "nginx-3", WARD)
        claim(
            container(node, nginx.name)["mode"] == "enforce",
            "nginx-3 runs in mode enforce from its start",
        )
        check_enforced(nginx, nginx.workers()[0], capabilities, "its worker")
        said = nginx_life(nginx)
        claim(
            not violations(node, nginx.name) and container(node, nginx.name)["violations"] == 0,
            f"{said}, zero violations",
            str(node.events(nginx.name)),
        )

        step(5, "quarantine: inside nginx a process calls unshare(CLONE_NEWUSER|CLONE_NEWNS)")
        frozen = quarantine(node, nginx, "unshare")
        event = show_violation(node, nginx.name, "unshare", "quarantine")
        claim(event["pid"] in frozen, f"and pid {event['pid']} is among the frozen", str(frozen))
        row = wait_for(
            lambda: (r := container(node, nginx.name)) and r["state"] == "QUARANTINED" and r,
            "`ward ps` to show QUARANTINED",
            5,
        )
        claim(row["note"], f"`ward ps` shows QUARANTINED: {row['note']}")
        evidence = wait_for(
            lambda: next(iter(violations(node, nginx.name)))["evidence"], "evidence", 5
        )
        directory = os.path.join(node.state, "evidence", os.path.basename(evidence))
        claim(
            os.path.isdir(directory) and os.listdir(directory),
            "evidence: " + " ".join(sorted(os.listdir(directory))),
            directory,
        )
        begin = time.monotonic()
        nginx.signal("KILL")
        claim(
            nginx.wait(5) == 137 and node.task(nginx.name) is None,
            f"`ctr task kill -s KILL` and delete worked at once ({time.monotonic() - begin:.2f} s)",
        )

        step(6, "kill: the same with redis and the action kill")
        learn(
            node,
            "redis",
            Redis,
            lambda redis: f"{redis.load()['SET']:.0f} SET/s, saved in the background",
        )
        capabilities = generate(node, "redis")
        redis = Redis(node, "redis-3", WARD)
        check_enforced(redis, redis.pid, capabilities, "redis")
        redis.load()
        claim(
            not violations(node, redis.name),
            "redis-3 serves the same load, zero violations",
            str(node.events(redis.name)),
        )
        cgroups = cgroup_directories(redis.pid)
        claim(
            redis.pid in processes_in(cgroups),
            f"its processes are in {os.path.relpath(cgroups[0], '/sys/fs/cgroup')} of "
            f"{len(cgroups)} cgroup trees",
            str(cgroups),
        )
        node.poke(redis.name, "af_alg")
        claim(redis.wait(5) == 137, "socket(AF_ALG): containerd reports the exit, 137")
        event = show_violation(node, redis.name, "socket", "kill")
        claim(
            not processes_in(cgroups) and not os.path.exists(f"/proc/{event['pid']}"),
            f"all processes are dead: its cgroups are empty or gone, and so is pid {event['pid']}",
            str(processes_in(cgroups)),
        )
        claim(event["reason"], f"the event says why: {event['reason']}")

        step(7, "without the daemon")
        running = Nginx(node, "nginx-5", WARD)
        node.stop("wardd", signal.SIGKILL)
        claim(
            running.wrk("/", 1) > 0 and status(running.workers()[0])["Seccomp"] == "2",
            "wardd is dead (SIGKILL); nginx-5 serves on, Seccomp: 2",
        )
        nginx = Nginx(node, "nginx-6", WARD)
        claim(status(nginx.workers()[0])["Seccomp"] == "2", "nginx-6 starts enforced all the same")
        quarantine(node, nginx, "unshare")
        node.start_wardd()
        show_violation(node, nginx.name, "unshare", "quarantine")
        claim(
            len(violations(node, nginx.name)) == 1,
            "wardd is back; the spooled event is in `ward events`, once",
            str(node.events(nginx.name)),
        )
        claim(running.wrk("/", 1) > 0, "nginx-5 never noticed")

        left = node.end()
        claim(
            not left,
            "nothing is left: no process, mount, cgroup, socket or file",
            "\n".join(" ".join(x) for x in left),
        )
    claim(not os.path.exists(node.directory), f"done in {time.monotonic() - STARTED:.0f} s")


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        enter_mount_namespace()
        main()
    except Broken as broken:
        sys.exit(f"\nFAILED: {broken}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; everything was cleared away")
