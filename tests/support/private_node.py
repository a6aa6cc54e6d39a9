# SPDX-License-Identifier: Apache-2.0
"""A private node for the demo and the benchmark: its own containerd, containerd namespace and wardd below one temporary
directory, stopped by pid, and looked for afterwards. Run inside a mount namespace of one's own (enter_mount_namespace)."""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARD = "io.containerd.ward.v1"
RUNC = "io.containerd.runc.v2"
VARIABLE = "WARD_TEST_NODE"  # marks the node's processes
# Bundles are on a tmpfs, as on a node: on a disk runc's synchronous pid file would be part of every start.
CONTAINERD_STATE = "/run/containerd/state"


class Broken(Exception):
    """Something that had to hold does not; the message is for people."""


def enter_mount_namespace():
    """Private mounts: shim sockets, runc's state and BPF pins of this program are its own and end with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, recursive_private = 0x20000, 0x4000 | 0x40000
    if libc.unshare(clone_newns) != 0 or libc.mount(None, b"/", None, recursive_private, None) != 0:
        raise Broken(f"cannot have private mounts (are you root?): {os.strerror(ctypes.get_errno())}")
    os.makedirs("/run/containerd", exist_ok=True)
    for kind, target in ((b"tmpfs", b"/run/containerd"), (b"bpf", b"/sys/fs/bpf")):
        if libc.mount(kind, target, kind, 0, b"mode=0711" if kind == b"tmpfs" else b"mode=0700") != 0:
            raise Broken(f"mount {target.decode()}: {os.strerror(ctypes.get_errno())}")


def wait_for(predicate, what, seconds=30.0):
    """For states of the kernel and of containerd that send no event: asks every 10 ms."""
    deadline = time.monotonic() + seconds
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise Broken(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.01)
    return result


def read(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return default


class PrivateNode:
    def __init__(self, build):
        self.build = build
        self.directory = tempfile.mkdtemp(prefix="ward-node-")
        self.name = os.path.basename(self.directory)
        os.chmod(self.directory, 0o711)
        self.config, self.state, self.run = (os.path.join(self.directory, part) for part in ("etc", "var", "run"))
        for directory in (self.config + "/profiles", self.config + "/policies", self.state, self.run):
            os.makedirs(directory, mode=0o700)
        self.socket = os.path.join(self.directory, "containerd.sock")
        self.environment = {
            **os.environ, VARIABLE: self.name, "PATH": os.path.join(build, "shim") + ":" + os.environ["PATH"],
            "WARD_CONFIG_DIR": self.config, "WARD_STATE_DIR": self.state, "WARD_RUN_DIR": self.run}
        self.children = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # from here on nothing interrupts the clearing up
        self.clear()

    def _start(self, name, command, ready):
        log = open(os.path.join(self.directory, name + ".log"), "ab")
        child = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.children[name] = child
        wait_for(lambda: ready() or child.poll() is not None, f"{name} to answer")
        if child.poll() is not None:
            raise Broken(f"{name} ended at once:\n" + self.log(name))

    def log(self, name, lines=20):
        return "\n".join(read(os.path.join(self.directory, name + ".log")).splitlines()[-lines:])

    def start_containerd(self):
        config = os.path.join(self.directory, "containerd.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'version = 2\nroot = "{self.directory}/root"\nstate = "{CONTAINERD_STATE}"\n'
                       'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", '
                       '"io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", '
                       f'"io.containerd.snapshotter.v1.aufs"]\n[grpc]\n  address = "{self.socket}"\n')
        self._start("containerd", ["containerd", "-c", config], lambda: self.ctr("version", check=False).returncode == 0)

    def start_wardd(self):
        def answers():
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(os.path.join(self.run, "api", "api.sock")) == 0
        self._start("wardd", [os.path.join(self.build, "enforcer", "wardd")], answers)

    def stop(self, name, number=signal.SIGTERM):
        child = self.children.pop(name, None)
        if child is None:
            return
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
        done = subprocess.run(command, env=self.environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=180, check=False, **options)
        if check and done.returncode != 0:
            raise Broken(f"`{' '.join(map(str, command))}` exits with {done.returncode}:\n{done.stderr or done.stdout}")
        return done

    def ctr(self, *arguments, check=True):
        return self.command(self.ctr_command(*arguments), check)

    def ward(self, *arguments, check=True):
        return self.command([os.path.join(self.build, "cli", "ward"), *arguments], check, cwd=self.directory)

    def ward_json(self, *arguments):
        return json.loads(self.ward("--output", "json", *arguments).stdout)

    def events(self, container=None):
        lines = self.ward("--output", "json", "events", *(("-c", container) if container else ())).stdout.splitlines()
        return [json.loads(line) for line in lines]

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

    def remains(self):
        """What the node has on the machine, found by looking."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            marked = f"{VARIABLE}={self.name}\0" in read(f"/proc/{pid}/environ") + "\0"
            if (marked or f"/{self.name}/" in read(f"/proc/{pid}/cgroup")) and read(f"/proc/{pid}/cmdline"):
                found.append(("process", pid, read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()))
        for line in read("/proc/self/mountinfo").splitlines():
            if line.split()[4].startswith((self.directory + "/", CONTAINERD_STATE + "/")):
                found.append(("mount", line.split()[4], ""))
        for parent in self._cgroup_parents():
            found += [("cgroup", entry.path, "") for entry in os.scandir(parent) if entry.is_dir()]
        sockets = "/run/containerd/s"
        found += [("socket", os.path.join(sockets, name), "") for name in (os.listdir(sockets) if os.path.isdir(sockets) else [])]
        return found

    def _cgroup_parents(self):
        paths = [os.path.join("/sys/fs/cgroup", controller, self.name) for controller in os.listdir("/sys/fs/cgroup")]
        return [path for path in (*paths, os.path.join("/sys/fs/cgroup", self.name)) if os.path.isdir(path)]

    def end(self):
        """The orderly end. Afterwards there must be nothing left: returns what there is."""
        for container in self.ctr("container", "ls", "-q", check=False).stdout.split():
            if (task := self.task(container)) is not None:
                if task[1] != "STOPPED":
                    self.ctr("task", "kill", "-s", "KILL", "-a", container, check=False)
                wait_for(lambda c=container: self.task(c) is None or self.task(c)[1] == "STOPPED", f"{container} to stop")
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
            for kind, what, _ in left:
                if kind == "process":
                    try:
                        os.kill(int(what), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                elif kind == "mount":
                    subprocess.run(["umount", "-l", what], check=False, stderr=subprocess.DEVNULL)
                elif kind == "cgroup":
                    for thaw, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                        if os.path.exists(os.path.join(what, thaw)):
                            with open(os.path.join(what, thaw), "w", encoding="ascii") as file:
                                file.write(word)
                    subprocess.run(["rmdir", what], check=False, stderr=subprocess.DEVNULL)
                else:
                    os.unlink(what)
            time.sleep(0.05)
        for parent in self._cgroup_parents():
            subprocess.run(["rmdir", parent], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)
