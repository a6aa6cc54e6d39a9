# SPDX-License-Identifier: Apache-2.0
"""A private node for the demo and the benchmark: its own containerd, containerd namespace and wardd
below one temporary directory, stopped by pid, and looked for afterwards. Run inside a mount
namespace of one's own (enter_mount_namespace)."""
import ctypes
import hashlib
import json
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARD = "io.containerd.ward.v1"
RUNC = "io.containerd.runc.v2"
VARIABLE = "WARD_TEST_NODE"  # marks the node's processes
# Bundles are on a tmpfs, as on a node: on a disk runc's synchronous pid file would be part of every
# start.
CONTAINERD_STATE = "/run/containerd/state"


class Broken(Exception):
    """Something that had to hold does not; the message is for people."""


def enter_mount_namespace():
    """Private mounts: shim sockets, runc's state and BPF pins of this program are its own and end
    with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, recursive_private = 0x20000, 0x4000 | 0x40000
    if libc.unshare(clone_newns) != 0 or libc.mount(None, b"/", None, recursive_private, None) != 0:
        raise Broken(
            f"cannot have private mounts (are you root?): {os.strerror(ctypes.get_errno())}"
        )
    os.makedirs("/run/containerd", exist_ok=True)
    for kind, target in ((b"tmpfs", b"/run/containerd"), (b"bpf", b"/sys/fs/bpf")):
        if (
            libc.mount(kind, target, kind, 0, b"mode=0711" if kind == b"tmpfs" else b"mode=0700")
            != 0
        ):
            raise Broken(f"mount {target.decode()}: {os.strerror(ctypes.get_errno())}")


def wait_for(predicate, what, seconds=30.0):
    """For states that announce nothing (containerd's answers, a mount table, a cgroup of v1): asks
    every 10 ms."""
    deadline = time.monotonic() + seconds
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise Broken(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.01)
    return result


def kill(pid):
    """SIGKILL. Returns a descriptor that is readable when the process has ended, or None where it
    has already."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    signal.pidfd_send_signal(process, signal.SIGKILL)
    return process


def read(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return default


def big_integers():
    """Fields of `ward`'s JSON that are 64-bit integers, and so text (docs/json.md)."""
    rows = re.findall(
        r"^\| (\w+) \| (?:\w+ of )?big integer \|",
        read(os.path.join(ROOT, "docs", "json.md")),
        re.M,
    )
    return frozenset(rows)


BIG_INTEGERS = big_integers()


def from_json(text):
    """A document of `ward`, with 64-bit integers as the numbers they are."""

    def number(value):
        if isinstance(value, list):
            return [number(item) for item in value]
        if isinstance(value, dict):
            return {key: number(item) for key, item in value.items()}
        return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else value

    def numbers(document):
        return {
            key: number(value) if key in BIG_INTEGERS else value for key, value in document.items()
        }

    return json.loads(text, object_hook=numbers)


def bpf_program_exists(program):
    """Asks the kernel for the program by its id (BPF_PROG_GET_FD_BY_ID)."""
    system_call, by_id = {"x86_64": 321, "aarch64": 280}[os.uname().machine], 13
    attributes = ctypes.create_string_buffer(program.to_bytes(4, "little"), 64)
    descriptor = ctypes.CDLL(None).syscall(system_call, by_id, attributes, ctypes.c_ulong(64))
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


class PrivateNode:
    def __init__(self, build):
        self.build = build
        # Also the containerd namespace, whose rules for names are stricter than those of mkdtemp.
        self.name = "ward-node-" + secrets.token_hex(6)
        self.directory = os.path.join(tempfile.gettempdir(), self.name)
        os.mkdir(self.directory, 0o700)
        os.chmod(self.directory, 0o711)
        self.config, self.state, self.run = (
            os.path.join(self.directory, part) for part in ("etc", "var", "run")
        )
        for directory in (
            self.config + "/profiles",
            self.config + "/policies",
            self.state,
            self.run,
        ):
            os.makedirs(directory, mode=0o700)
        self.socket = os.path.join(self.directory, "containerd.sock")
        self.environment = {
            **os.environ,
            VARIABLE: self.name,
            "PATH": os.path.join(build, "shim") + ":" + os.environ["PATH"],
            "WARD_CONFIG_DIR": self.config,
            "WARD_STATE_DIR": self.state,
            "WARD_RUN_DIR": self.run,
        }
        # How wardd names the containers with which it measures the runtime.
        self.calibration = (
            "ward-calibration-" + hashlib.sha256(self.run.encode()).hexdigest()[:8] + "-"
        )
        self.bpf_programs = set()  # that processes of the node were seen to hold
        self.children = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # from here on nothing interrupts the clearing up
        self.clear()

    def _start(self, name, command, ready, **options):
        log = open(os.path.join(self.directory, name + ".log"), "ab")
        child = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **options,
        )
        log.close()
        self.children[name] = child
        ready(child)
        if child.poll() is not None:
            raise Broken(f"{name} ended at once:\n" + self.log(name))

    def log(self, name, lines=20):
        return "\n".join(read(os.path.join(self.directory, name + ".log")).splitlines()[-lines:])

    def start_containerd(self):
        config = os.path.join(self.directory, "containerd.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f'version = 2\nroot = "{self.directory}/root"\nstate = "{CONTAINERD_STATE}"\n'
                'disabled_plugins = ["io.containerd.grpc.v1.cri", '
                '"io.containerd.snapshotter.v1.btrfs", '
                '"io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", '
                f'"io.containerd.snapshotter.v1.aufs"]\n[grpc]\n  address = "{self.socket}"\n'
            )
        self._start(
            "containerd",
            ["containerd", "-c", config],
            lambda child: wait_for(
                lambda: child.poll() is not None
                or self.ctr("version", check=False).returncode == 0,
                "containerd to answer",
            ),
        )

    def start_wardd(self):
        told, tells = os.pipe()

        def await_word(
            _,
        ):  # readable when wardd says that it is ready, and when it ends without a word
            os.close(tells)
            readable, _, _ = select.select([told], [], [], 30)
            word = os.read(told, 16) if readable else b""
            os.close(told)
            if not readable:
                raise Broken("waited 30 s in vain: wardd to be ready:\n" + self.log("wardd"))
            if not word:
                self.children["wardd"].wait(20)

        self._start(
            "wardd",
            [os.path.join(self.build, "enforcer", "wardd"), "--ready-fd", str(tells)],
            await_word,
            pass_fds=(tells,),
        )

    def stop(self, name, number=signal.SIGTERM):
        child = self.children.pop(name, None)
        if child is None:
            return
        self.note_bpf_programs()
        child.send_signal(number)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Broken(f"{name} did not end within 20 s of signal {number}") from None

    def pid(self, name):
        return self.children[name].pid

    def ctr_command(self, *arguments):
        return ["ctr", "--address", self.socket, "--namespace", self.name, *arguments]

    def command(self, command, check=True, **options):
        done = subprocess.run(
            command,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=180,
            check=False,
            **options,
        )
        if check and done.returncode != 0:
            raise Broken(
                f"`{' '.join(map(str, command))}` exits with {done.returncode}:\n"
                f"{done.stderr or done.stdout}"
            )
        return done

    def ctr(self, *arguments, check=True):
        return self.command(self.ctr_command(*arguments), check)

    def ward(self, *arguments, check=True):
        return self.command(
            [os.path.join(self.build, "cli", "ward"), *arguments], check, cwd=self.directory
        )

    def ward_json(self, *arguments):
        done = self.ward("--output", "json", *arguments, check=False)
        # 6: `status` shows a problem, and the caller judges it.
        if done.returncode not in ((0, 6) if arguments[0] == "status" else (0,)):
            raise Broken(
                f"`ward {' '.join(arguments)}` exits with {done.returncode}:\n{done.stderr}"
            )
        return from_json(done.stdout)

    def events(self, container=None):
        lines = self.ward(
            "--output", "json", "events", *(("-c", container) if container else ())
        ).stdout.splitlines()
        return [from_json(line) for line in lines]

    def write_policy(self, name, text):
        """Written beside and renamed, as an editor or git does."""
        path = os.path.join(self.config, "policies", name + ".yaml")
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def import_image(self, name):
        archive = self.command([os.path.join(ROOT, "scripts", "build-image"), name]).stdout.strip()
        self.ctr("image", "import", archive)

    def task(self, container):
        """(pid, status) as `ctr task ls` shows them, or None."""
        for line in self.ctr("task", "ls", check=False).stdout.splitlines():
            words = line.split()
            if words and words[0] == container:
                return int(words[1]), words[2]
        return None

    def poke(self, container, attack):
        """Lets a process of the workload itself try `attack` (see tests/workloads/box.c)."""
        with open(f"/proc/{self.task(container)[0]}/root/trigger", "w", encoding="utf-8") as fifo:
            fifo.write(attack + "\n")

    def _processes(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            cgroups = read(f"/proc/{pid}/cgroup")
            if (
                f"{VARIABLE}={self.name}\0" in read(f"/proc/{pid}/environ") + "\0"
                or f"/{self.name}/" in cgroups
                or f"/{self.calibration}" in cgroups
            ) and read(f"/proc/{pid}/cmdline"):
                yield pid

    def _held_bpf_programs(self):
        """Ids of the programs (and of those that links keep attached) that the node's processes
        hold now."""
        for pid in self._processes():
            directory = f"/proc/{pid}/fdinfo"
            for descriptor in os.listdir(directory) if os.path.isdir(directory) else []:
                for line in read(os.path.join(directory, descriptor)).splitlines():
                    if line.startswith("prog_id:"):
                        yield int(line.split()[1])

    def note_bpf_programs(self):
        self.bpf_programs.update(self._held_bpf_programs())

    def remains(self):
        """What the node has on the machine, found by looking."""
        found = []
        for pid in self._processes():
            found.append(("process", pid, read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()))
        for program in self.bpf_programs - set(self._held_bpf_programs()):
            if bpf_program_exists(program):
                found.append(("BPF program", str(program), ""))
        for line in read("/proc/self/mountinfo").splitlines():
            if line.split()[4].startswith((self.directory + "/", CONTAINERD_STATE + "/")):
                found.append(("mount", line.split()[4], ""))
        for parent in self._cgroup_parents():
            found += [("cgroup", entry.path, "") for entry in os.scandir(parent) if entry.is_dir()]
        for top in self._cgroup_tops():
            found += [
                ("cgroup", entry.path, "")
                for entry in os.scandir(top)
                if entry.name.startswith(self.calibration)
            ]
        sockets = "/run/containerd/s"
        found += [
            ("socket", os.path.join(sockets, name), "")
            for name in (os.listdir(sockets) if os.path.isdir(sockets) else [])
        ]
        return found

    @staticmethod
    def _cgroup_tops():
        top = "/sys/fs/cgroup"
        return [
            top,
            *(entry.path for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False)),
        ]

    def _cgroup_parents(self):
        return [
            path
            for top in self._cgroup_tops()
            if os.path.isdir(path := os.path.join(top, self.name))
        ]

    def end(self):
        """The orderly end. Afterwards there must be nothing left: returns what there is."""
        self.note_bpf_programs()
        for container in self.ctr("container", "ls", "-q", check=False).stdout.split():
            if (task := self.task(container)) is not None:
                if task[1] != "STOPPED":
                    self.ctr("task", "kill", "-s", "KILL", "-a", container, check=False)
                wait_for(
                    lambda c=container: (self.task(c) or (0, "STOPPED"))[1] == "STOPPED",
                    f"{container} to stop",
                )
                self.ctr("task", "delete", "-f", container, check=False)
            self.ctr("container", "delete", container, check=False)
        for name in ("wardd", "containerd"):
            self.stop(name)
        try:
            wait_for(lambda: not self.remains(), "everything to be gone", 5)
        except Broken:
            return self.remains()
        return []

    def clear(self):
        """Removes whatever is left, after success, failure and interruption alike."""
        for child in self.children.values():
            child.kill()
            child.wait()
        deadline = time.monotonic() + 10
        while (left := self.remains()) and time.monotonic() < deadline:
            dying = []
            for kind, what, _ in left:
                if kind == "process":
                    dying.append(kill(int(what)))
                elif kind == "mount":
                    subprocess.run(["umount", "-l", what], check=False, stderr=subprocess.DEVNULL)
                elif kind == "cgroup":
                    for thaw, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                        if os.path.exists(os.path.join(what, thaw)):
                            with open(os.path.join(what, thaw), "w", encoding="ascii") as file:
                                file.write(word)
                    subprocess.run(["rmdir", what], check=False, stderr=subprocess.DEVNULL)
                elif kind == "socket":
                    os.unlink(what)
            for process in filter(None, dying):
                select.select([process], [], [], 1)
                os.close(process)
            if not dying:
                time.sleep(0.05)  # nothing announces that the kernel lets go of a cgroup
        for parent in self._cgroup_parents():
            subprocess.run(["rmdir", parent], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)
