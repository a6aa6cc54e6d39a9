# SPDX-License-Identifier: Apache-2.0
"""What one program's learned profiles do, in both postures: the row that is kept of it."""
import json
import os
import re
import subprocess
import time

import roots
from life import Life, Stopped
from private_node import WARD, Broken, read, wait_for
from troubles import troubles

POSTURES = ("balanced", "strict")
IDLE = 400  # s
CLASSES = ("self", "held", "reach", "danger")
# The same answer each time, whatever the machine does meanwhile.
COMMANDS = [
    ["sh", "-c", "echo one | cat | tr o 0"],
    ["ls", "-ln", "/etc/apt"],
    ["cat", "/etc/debian_version"],
    ["ps", "-p", "1", "-o", "comm="],
    ["tar", "-cf", "/dev/null", "-C", "/etc", "apt"],
    ["curl", "-sS", "http://127.0.0.1:1/"],
    ["id"],
    ["env"],
    ["find", "/etc/apt", "-type", "f"],
    ["grep", "-c", "root", "/etc/passwd"],
    ["sed", "-n", "1p", "/etc/passwd"],
    ["head", "-c", "3", "/dev/zero"],
    ["df", "--output=fstype", "/"],
    ["date", "-u", "-d", "@0"],
]
LEARNING = """\
apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {{name: evaluate-{0}}}
spec:
  rules:
    - {{match: {{containers: ["{0}-learn-*"]}}, mode: learn, workload: {0}}}
    - {{match: {{containers: ["{0}-count-*"]}}, mode: learn, workload: {0}-counted}}
    - {{match: {{containers: ["{0}-more-*"]}}, mode: learn, workload: {0}-more}}
"""
# Denials are counted, and the program goes on; what the profile itself does is tried apart.
ENFORCING = """\
    - match: {{containers: ["{0}-deny-*"]}}
      mode: enforce
      profile: {0}
      onViolation: {{workload: {{action: deny}}}}
    - {{match: {{containers: ["{0}-stop-*"]}}, mode: enforce, profile: {0}}}
    - {{match: {{containers: ["{0}-rehearse-*"]}}, mode: supervise, profile: {0}-rehearsed}}
    - match: {{containers: ["{0}-rehearsed-*"]}}
      mode: enforce
      profile: {0}-rehearsed
      onViolation: {{workload: {{action: deny}}}}
    - match: {{containers: ["{0}-probed-*"]}}
      mode: enforce
      profile: {0}-probed
      onViolation: {{workload: {{action: deny}}}}
"""
# The same document under three names: what `propose` finds in the journal of one is not of another.
COPIES = ("", "-rehearsed", "-probed")


def name_of(program, posture):
    return f"{program.name}-{posture}"


class Measurement:
    def __init__(self, node, disk, program, probes, short=False, say=print):
        self.node, self.disk, self.program = node, disk, program
        self.probes, self.say = probes, say
        self.short = short
        self.learnings, self.repeats = (1, 1) if short else (3, 5)
        self.postures = ("balanced",) if short else POSTURES
        self.classes = {}

    # One life, and what Ward said of it.

    def events(self, container):
        """Those of a container that has ended, once nothing is added any more."""
        events = self.node.events(container)
        while True:
            time.sleep(0.1)
            again = self.node.events(container)
            if len(again) == len(events):
                return again
            events = again

    def live(self, container, exercise, runtime=WARD, program=None, flags=()):
        life = Life(self.node, program or self.program, container, runtime, flags=flags)
        stopped, status = "", None
        try:
            life.start()
            status = exercise(life)
        except Stopped as end:
            stopped = str(end)
        finally:
            state = life.state()
            if state == "ENDED":
                status = life.process.returncode
            life.clear()
        run = {"status": status, "steps": life.steps, "wrong": life.wrong}
        if stopped:
            run["ended_early"] = stopped[:300]
        if state == "PAUSED":
            run["quarantined"] = True
        return run

    def governed(self, container, exercise, program=None, flags=()):
        run = self.live(container, exercise, program=program, flags=flags)
        calls = {}
        for event in self.events(container):
            if event["kind"] == "violation":
                key = (event["syscall"], ", ".join(event["args_text"]), event["phase"])
                calls[key] = calls.get(key, 0) + 1 + event["repeats"]
            elif event["kind"] == "ended-by-filter":
                calls[("(ended by the filter)", "", "")] = 1
        run["violations"] = [
            {"call": call, "args": args, "phase": phase, "times": times}
            for (call, args, phase), times in sorted(calls.items())
        ]
        return run

    def class_of_row(self, call):
        if call not in self.classes:
            done = self.node.ward("--output", "json", "syscalls", call, check=False)
            said = json.loads(done.stdout) if done.returncode == 0 else []
            said = said if isinstance(said, list) else [said]
            self.classes[call] = said[0]["class"] if said else "reach"
        return self.classes[call]

    def proposed(self, profile):
        """What Ward says of the calls outside: {call: harm class}, and what it leaves out."""
        done = self.node.ward("--output", "json", "profile", "propose", profile, check=False)
        if done.returncode != 0:
            return {}, []
        document = json.loads(done.stdout)
        classes = {call["syscall"]: call["harm"] for call in document["calls"]}
        return classes, document["left_out"]

    def judged(self, run, profile):
        """The violations with the class of each, as Ward gives it with the arguments seen."""
        classes, left_out = self.proposed(profile)
        for violation in run["violations"]:
            call = violation["call"]
            danger = call not in classes and any(text.startswith(call) for text in left_out)
            violation["class"] = "danger" if danger else classes.get(call, self.class_of_row(call))
        return run

    # Steps.

    def policy(self, postures=()):
        text = LEARNING.format(self.program.name)
        text += "".join(ENFORCING.format(name_of(self.program, p)) for p in postures)
        before = self.generation()
        self.node.write_policy("evaluate-" + self.program.name, text)
        wait_for(lambda: self.generation() > before, "the policy to be in force", 10)

    def generation(self):
        return self.node.ward_json("status")["index_generation"]

    def learn(self):
        runs = []
        for number in range(1, self.learnings + 1):
            container = f"{self.program.name}-learn-{number}"
            run = self.live(container, self.program.learned)
            if run["wrong"] or "ended_early" in run:
                raise Broken(f"{container} goes wrong without a profile: {run}")
            runs.append(run)
            self.await_recording(self.program.name, container)
        return runs

    def await_recording(self, workload, container):
        def ended():
            shown = self.node.ward("--output", "json", "learn", "show", workload, check=False)
            runs = json.loads(shown.stdout)["runs"] if shown.returncode == 0 else []
            return any(r["container"] == container and int(r["ended_wall_ns"]) for r in runs)

        wait_for(ended, f"the recording of {container} to end", 10)

    def recorded(self, workload):
        document = self.node.ward_json("learn", "show", workload)
        return {call["name"] for call in document["syscalls"] if call["by_workload"]}

    def sign(self, text):
        """A person's part, done mechanically: of what `generate` left out, and wrote down as
        comments, the socket by which getaddrinfo asks for addresses, and nothing else."""
        signed = []
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if "bundle: getaddrinfo" in line and re.match(r"\s+# ", line):
                lines[number] = line.replace("# ", "", 1).replace(
                    "WHY", "getaddrinfo asks the kernel for addresses"
                )
                signed.append(line)
        text = "\n".join(lines) + "\n"
        if signed:
            text = re.sub(r"^(\s*)# accept:", r"\1accept:", text, flags=re.M)
        return text, bool(signed)

    def generate(self, posture):
        for copy in COPIES:
            name = name_of(self.program, posture) + copy
            path = os.path.join(self.node.directory, name + ".yaml")
            done = self.node.ward_json(
                "profile", "generate", self.program.name, "--name", name, "--posture", posture
            )
            text, signed = self.sign(done["yaml"])
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.node.ward("profile", "apply", path)
        return {
            "listed": done["syscalls"],
            "capabilities": done["capabilities"],
            "left_out": done["left_out"],
            "signed": signed,
        }

    def again(self, posture, learned):
        """Exercise a, several times."""
        name, out = name_of(self.program, posture), []
        for number in range(1, self.repeats + 1):
            run = self.governed(f"{name}-deny-a{number}", self.program.learned)
            run["as_learned"] = not run["wrong"] and run["status"] == learned[0]["status"]
            out.append(run)
        calls = {}
        for run in out:
            for violation in self.judged(run, name)["violations"]:
                key = (violation["call"], violation["args"], violation["class"])
                calls[key] = calls.get(key, 0) + violation["times"]
        return {
            "runs": len(out),
            "as_learned": sum(run["as_learned"] for run in out),
            "violations": sum(calls.values()),
            "calls": [
                {"call": call, "args": args, "class": harm, "times": times}
                for (call, args, harm), times in sorted(calls.items())
            ],
            "wrong": sorted({what for run in out for what in run["wrong"]}),
        }

    def commands(self, container, runtime=WARD):
        """What each ordinary command answers in an exec session."""
        life = Life(self.node, self.program, container, runtime)
        answers = []
        try:
            life.start()
            for number, command in enumerate(COMMANDS):
                try:
                    done = subprocess.run(
                        self.node.ctr_command("task", "exec", "--exec-id", f"e{number}", container)
                        + command,
                        env=self.node.environment,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        timeout=10,
                        check=False,
                    )
                    answers.append((done.returncode, done.stdout))
                except subprocess.TimeoutExpired:
                    answers.append(("hangs", b""))
        except Stopped as stopped:
            answers += [(str(stopped), b"")] * (len(COMMANDS) - len(answers))
        life.clear()
        return answers

    def sessions(self, posture, plain):
        answers = self.commands(f"{name_of(self.program, posture)}-probed-exec")
        failed = [
            " ".join(command)
            for command, answer, right in zip(COMMANDS, answers, plain)
            if answer != right
        ]
        return {"of": len(COMMANDS), "work": len(COMMANDS) - len(failed), "failed": failed}

    def probe(self, posture):
        container = f"{name_of(self.program, posture)}-probed-probes"
        mount = f"--mount=type=bind,src={self.probes},dst=/probes,options=rbind:ro"
        life = Life(self.node, self.program, container, WARD, ["/probes"], [mount])
        try:
            life.process.wait(30)
        except subprocess.TimeoutExpired:
            pass
        life.clear()
        seen = {}
        for event in self.events(container):
            if event["kind"] in ("violation", "tolerated"):
                seen[(event["syscall_nr"], tuple(event["args"]))] = event["kind"]
        out = {"of": 0, "stopped": 0, "let_run": []}
        for line in read(life.log).splitlines():
            words = line.split()
            if len(words) != 10:
                continue
            out["of"] += 1
            kind = seen.get((int(words[1]), tuple(map(int, words[2:8]))), "")
            if kind == "violation":
                out["stopped"] += 1
            else:
                out["let_run"].append(words[0] + (" (recorded)" if kind else ""))
        return out

    def rehearse(self, posture, right):
        """One rehearsal of b, what it proposes, and b once more."""
        name = name_of(self.program, posture)
        rehearsal = self.governed(f"{name}-rehearse-b", self.program.unlearned)
        copy = name + "-rehearsed"
        classes, left_out = self.proposed(copy)
        before = self.generation()
        applied = self.node.ward("profile", "propose", copy, "--apply", check=False)
        if applied.returncode == 0:
            wait_for(lambda: self.generation() > before, "the proposal to be in force", 10)
        run = self.judged(self.governed(f"{name}-rehearsed-b", self.program.unlearned), copy)
        return {
            "rehearsal_wrong": rehearsal["wrong"],
            "proposed": classes,
            "left_out": left_out,
            "applied": applied.returncode == 0,
            "violations": run["violations"],
            "right": not run["wrong"] and run["status"] == right["status"],
            "wrong": run["wrong"],
        }

    def stops(self, posture):
        """Exercise b under the profile's own action, quarantine."""
        name = name_of(self.program, posture)
        run = self.governed(f"{name}-stop-b", self.program.unlearned)
        acted = [e for e in self.node.events(f"{name}-stop-b") if e["kind"] == "violation"]
        # What else is denied until everything is frozen may reach the journal before its reason.
        first = next((e for e in acted if e["contained_us"]), acted[0] if acted else None)
        return {
            "stopped": bool(run.get("quarantined") or first),
            "steps_before": max(run["steps"] - 1, 0) if first else run["steps"],
            "by": f"{first['syscall']}({', '.join(first['args_text'])})" if first else "",
        }

    def one_release_later(self, posture):
        """Exercise a with the next release's build of the program, under the profile of this
        one."""
        newer = self.program.one_release_later()
        path, reference = roots.image(newer)
        self.node.ctr("image", "import", path)
        try:
            right = self.live(f"{self.program.name}-off-newer", newer.learned, program=newer)
            if right["wrong"] or "ended_early" in right:
                raise Broken(f"exercise a goes wrong on Debian 13 without Ward: {right}")
            name = name_of(self.program, posture)
            run = self.judged(self.governed(f"{name}-deny-newer", newer.learned, newer), name)
        finally:
            self.node.ctr("image", "rm", "--sync", reference, check=False)
        return {
            "violations": run["violations"],
            "right": not run["wrong"] and run["status"] == right["status"],
            "wrong": run["wrong"],
        }

    def idle_begin(self):
        """Nobody asks anything of it: what it does by itself, under the profile's own action."""
        self.idle = Life(
            self.node, self.program, f"{name_of(self.program, 'balanced')}-stop-idle", WARD
        )
        self.idle_since = time.monotonic()
        self.idle_ended = ""
        try:
            self.idle.start()
        except Stopped as stopped:
            self.idle_ended = str(stopped)[:300]

    def idle_left(self):
        """Seconds until it has been left alone long enough."""
        return max(0.0, self.idle_since + IDLE - time.monotonic())

    def idle_end(self):
        container = f"{name_of(self.program, 'balanced')}-stop-idle"
        state = self.idle.state()
        self.idle.clear()
        calls = sorted({e["syscall"] for e in self.events(container) if e["kind"] == "violation"})
        return {
            "seconds": round(time.monotonic() - self.idle_since),
            "runs_on": state == "RUNNING" and not self.idle_ended,
            "violations": calls,
        }

    def estimate(self):
        """What the recordings of a say of further runs, and what one more run showed."""
        coverage = self.node.ward_json("learn", "show", self.program.name)["coverage"]
        container = f"{self.program.name}-more-a"
        self.live(container, self.program.learned)
        self.await_recording(self.program.name + "-more", container)
        more = self.recorded(self.program.name + "-more") - self.recorded(self.program.name)
        return {
            "estimated": coverage["estimated"],
            "unseen": coverage["estimated_unseen"],
            "new_in_a_run_at_most": coverage["new_in_a_run_at_most"],
            "one_more_run": sorted(more),
        }

    def pairs(self):
        """Calls of b that a never made: {class: [call]}. Of a recording from which no profile is
        made."""
        run = self.live(f"{self.program.name}-count-b", self.program.unlearned)
        self.await_recording(self.program.name + "-counted", f"{self.program.name}-count-b")
        new = self.recorded(self.program.name + "-counted") - self.recorded(self.program.name)
        out = {harm: [] for harm in CLASSES}
        for call in sorted(new):
            out[self.class_of_row(call)].append(call)
        return out, run

    def row(self):
        began = time.monotonic()
        program, say = self.program, self.say
        path, reference = roots.image(program)
        self.node.ctr("image", "import", path)
        try:
            self.policy()
            say("learning")
            learned = self.learn()
            right = self.live(f"{program.name}-off-b", program.unlearned)
            if right["wrong"] or "ended_early" in right:
                raise Broken(f"exercise b goes wrong without Ward: {right}")
            say("counting")
            pairs, _ = self.pairs()
            estimate = self.estimate()
            plain = self.commands(f"{program.name}-off-exec")
            row = {
                "program": program.name,
                "kind": program.kind,
                "learned_runs": len(learned),
                "learned_calls": len(self.recorded(program.name)),
                "unlearned_calls": pairs,
                "estimate": estimate,
                "postures": {},
            }
            generated = {posture: self.generate(posture) for posture in self.postures}
            self.policy(self.postures)
            for posture in self.postures:
                name = name_of(program, posture)
                say(posture)
                kept = generated[posture]
                kept["a"] = self.again(posture, learned)
                run = self.judged(self.governed(f"{name}-deny-b", program.unlearned), name)
                kept["b"] = {
                    "violations": run["violations"],
                    "right": not run["wrong"] and run["status"] == right["status"],
                    "status": run["status"],
                    "steps": right["steps"],
                    "wrong": run["wrong"],
                    **({"ended_early": run["ended_early"]} if "ended_early" in run else {}),
                }
                kept["b_quarantine"] = self.stops(posture)
                kept["exec"] = self.sessions(posture, plain)
                kept["probes"] = self.probe(posture)
                kept["after_rehearsal"] = self.rehearse(posture, right)
                row["postures"][posture] = kept
            name = name_of(program, "balanced")
            say("in trouble")
            row["troubles"] = troubles(self, self.disk, name, name + "-rehearsed")
            if not self.short:
                say("Debian 13")
                row["debian13"] = self.one_release_later("balanced")
                self.idle_begin()
            row["seconds"] = round(time.monotonic() - began)
            return row
        finally:
            self.node.ctr("image", "rm", "--sync", reference, check=False)
