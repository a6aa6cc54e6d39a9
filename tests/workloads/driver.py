# SPDX-License-Identifier: Apache-2.0
"""Runs nginx and redis as containers of a private node and puts real load on them. Each container
has its own network namespace; the load generators enter it, so that ports never clash and nothing
of the network is left behind."""
import os
import re
import subprocess

from private_node import Broken, read, wait_for

CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK
IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND
AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
""".split()


def status(pid):
    """/proc/<pid>/status as a dictionary."""
    return dict(
        line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines() if ":\t" in line
    )


def capability_names(mask):
    return {"CAP_" + name for bit, name in enumerate(CAPABILITIES) if int(mask, 16) >> bit & 1}


def cgroup_directories(pid):
    """The directories of a process's cgroup, one in each mounted tree; the root of a tree is
    nobody's own."""
    found = []
    for line in read(f"/proc/{pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        trees = [controllers.removeprefix("name=")] if controllers else ["unified", ""]
        directories = [
            os.path.join("/sys/fs/cgroup", tree, path[1:]) for tree in trees if path != "/"
        ]
        found += [
            directory
            for directory in directories
            if os.path.exists(os.path.join(directory, "cgroup.procs"))
        ][:1]
    if not found:
        raise Broken(f"process {pid} has no cgroup of its own:\n" + read(f"/proc/{pid}/cgroup"))
    return found


def processes_in(directories):
    """Of these cgroups and those below; of one that is gone, none."""
    below = [inside for directory in directories for inside, _, _ in os.walk(directory)]
    return sorted(
        {
            int(pid)
            for directory in below
            for pid in read(os.path.join(directory, "cgroup.procs")).split()
        }
    )


class Container:
    """One `ctr run --rm` in the foreground: its exit is the exit that containerd reports."""

    port = 0

    def __init__(self, node, name, image, runtime, flags=(), command=()):
        self.node, self.name = node, name
        self.log = os.path.join(node.directory, name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                node.ctr_command(
                    "run",
                    "--rm",
                    "--runtime",
                    runtime,
                    *flags,
                    f"docker.io/ward/{image}:demo",
                    name,
                    *command,
                ),
                env=node.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pid = wait_for(self._running, f"{name} to run")[0]
        subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", "ip", "link", "set", "lo", "up"], check=True
        )
        wait_for(self._listening, f"{name} to listen")

    def _running(self):
        self._check_alive()
        task = self.node.task(self.name)
        return task if task and task[1] == "RUNNING" else None

    def _listening(self):
        self._check_alive()
        return f":{self.port:04X} 00000000:0000 0A" in read(f"/proc/{self.pid}/net/tcp")

    def _check_alive(self):
        if self.process.poll() is not None:
            raise Broken(f"{self.name} ended with {self.process.returncode}:\n{read(self.log)}")

    def inside(self, *command):
        return self.node.command(["nsenter", "-t", str(self.pid), "-n", *command]).stdout

    def signal(self, name):
        self.node.ctr("task", "kill", "-s", name, self.name)

    def wait(self, seconds=20):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Broken(f"{self.name} did not end within {seconds} s") from None

    def children(self):
        return [int(pid) for pid in read(f"/proc/{self.pid}/task/{self.pid}/children").split()]


class Nginx(Container):
    port = 80

    def __init__(self, node, name, runtime, flags=()):
        super().__init__(node, name, "nginx", runtime, flags)
        wait_for(lambda: len(self.workers()) == 2, f"{name}'s workers")

    def workers(self):
        return [
            pid
            for pid in self.children()
            if "nginx: worker" in read(f"/proc/{pid}/cmdline")
            and "shutting" not in read(f"/proc/{pid}/cmdline")
        ]

    def wrk(self, path="/", seconds=2, *flags):
        """Requests a second; any failed request is an error."""
        out = self.inside("wrk", "-t2", "-c32", f"-d{seconds}s", *flags, f"http://127.0.0.1{path}")
        rate = re.search(r"Requests/sec: *([\d.]+)", out)
        if not rate or float(rate[1]) < 1 or "Non-2xx" in out or "Socket errors" in out:
            raise Broken(f"{self.name} does not serve {path}:\n{out}\n{read(self.log)}")
        return float(rate[1])

    def load(self, seconds=2):
        """What visitors do: a small page, a large one, and a connection for each request."""
        rate = self.wrk("/", seconds)
        self.wrk("/large.html", 1)
        self.wrk("/", 1, "-H", "Connection: close")
        return rate

    def reload(self):
        before = set(self.workers())
        self.signal("HUP")
        wait_for(
            lambda: len(set(self.workers()) - before) == 2 and not before & set(self.children()),
            f"{self.name} to reload",
        )

    def quit(self):
        self.signal("QUIT")
        return self.wait()


class Redis(Container):
    port = 6379

    def __init__(self, node, name, runtime, flags=()):
        super().__init__(node, name, "redis", runtime, flags)

    def benchmark(self, requests=20000, tests="set,get,incr,lpush,lrange_100,mset"):
        """Requests a second of each test."""
        out = self.inside("redis-benchmark", "--csv", "-n", str(requests), "-c", "20", "-t", tests)
        rates = {
            name: float(rate)
            for name, rate in re.findall(r'^"([^"]+)","([\d.]+)"', out, re.MULTILINE)
        }
        if not rates:
            raise Broken(f"{self.name} does not serve:\n{out}\n{read(self.log)}")
        return rates

    def load(self):
        rates = self.benchmark()
        # Redis notes who sent a slow command, and on a busy machine any command may be slow: its
        # address is asked for.
        self.inside("redis-cli", "client", "list")
        self.inside("redis-cli", "bgsave")
        wait_for(
            lambda: "rdb_bgsave_in_progress:0" in self.inside("redis-cli", "info", "persistence"),
            "the background save",
        )
        return rates

    def quit(self):
        self.signal("TERM")
        return self.wait()
