# SPDX-License-Identifier: Apache-2.0
"""One life of a program in a container, and its clients. The container's network is a namespace
that is made before it, with nothing but loopback; clients enter it. A step that gives a wrong
answer, or none, is noted, and the exercise goes on, until the container no longer runs."""
import contextlib
import ctypes
import dataclasses
import http.client
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

import roots
from private_node import Broken, read, wait_for

NAMESPACES = "/run/containerd/evaluate"  # on the private tmpfs of this program
PATIENCE = 4.0  # s, of a client with an answer
CLONE_NEWNET = 0x40000000


class Stopped(Exception):
    """The container no longer runs, so the exercise ends."""


@dataclasses.dataclass
class Program:
    name: str
    kind: str
    command: list
    learned: object  # exercise a
    unlearned: object  # exercise b
    port: int = 0  # is listened on once it serves
    udp: bool = False
    packages: list = dataclasses.field(default_factory=list)
    files: dict = dataclasses.field(default_factory=dict)
    setup: list = dataclasses.field(default_factory=list)  # commands in the image, as root
    user: str = "root"
    stop: str = "SIGTERM"
    environment: dict = dataclasses.field(default_factory=dict)
    ready: object = None  # called with the life, where listening does not say it
    suite: str = "bookworm"  # the release of Debian whose build it is
    newer: dict = dataclasses.field(default_factory=dict)  # what of this differs on Debian 13

    @property
    def image_name(self):
        return "evaluate-" + self.name + ("" if self.suite == "bookworm" else "-" + self.suite)

    def one_release_later(self):
        return dataclasses.replace(self, suite="trixie", **self.newer)


def app(name):
    """A program of ours that an interpreter runs."""
    return read(os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps", name))


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes


class Line:
    """A connection on which one asks, and reads until what ends the answer."""

    def __init__(self, connection):
        self.connection = connection
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def until(self, end):
        """Bytes up to and with the first match of the expression `end`; b"" for `end` reads all."""
        while not (end and (found := re.search(end, self.rest, re.S))):
            part = self.connection.recv(1 << 16)
            if not part and end:
                raise ConnectionError(f"the connection ended after {self.rest[-200:]!r}")
            if not part:
                said, self.rest = self.rest, b""
                return said
            self.rest += part
        said, self.rest = self.rest[: found.end()], self.rest[found.end() :]
        return said

    def ask(self, text, end=rb"\n"):
        self.connection.sendall(text if isinstance(text, bytes) else text.encode())
        return self.until(end)


class Life:
    def __init__(self, node, program, name, runtime, command=None, flags=()):
        self.node, self.program, self.name = node, program, name
        self.wrong, self.steps, self.silent, self.pid, self.sockets = [], 0, 0, 0, []
        os.makedirs(NAMESPACES, exist_ok=True)
        self.network = os.path.join(NAMESPACES, name)
        with open(self.network, "wb"):
            pass
        node.command(["unshare", "--net=" + self.network, "ip", "link", "set", "lo", "up"])
        # ctr lays an empty file system over /run; Docker and the CRI let the image's be there.
        self.run = os.path.join(node.directory, name + ".run")
        node.command(["cp", "-a", roots.image(program)[0] + ".run", self.run])
        flags = [*flags, f"--mount=type=bind,src={self.run},dst=/run,options=rbind:rw"]
        self.log = os.path.join(node.directory, name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                node.ctr_command("run", "--rm", "--runtime", runtime)
                + ["--with-ns", "network:" + self.network, "--allow-new-privs"]
                + [f"--env={key}={value}" for key, value in program.environment.items()]
                + [*flags, f"docker.io/ward/{program.image_name}:demo", name]
                + (command or program.command),
                env=node.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    # What the container is doing.

    def state(self):
        if self.process.poll() is not None:
            return "ENDED"
        task = self.node.task(self.name)
        return task[1] if task else "UNKNOWN"

    def _found_pid(self):
        if self.process.poll() is not None:
            raise Stopped(f"ended with {self.process.returncode}: {read(self.log)[-400:]}")
        task = self.node.task(self.name)
        self.pid = task[0] if task and task[0] else self.pid
        if task and task[1] == "PAUSED":
            raise Stopped("quarantined while it started")
        return task and task[1] == "RUNNING"

    def listens(self, port=None, udp=None):
        port, udp = port or self.program.port, self.program.udp if udp is None else udp
        for kind, state in (
            (("udp", "07"), ("udp6", "07")) if udp else (("tcp", "0A"), ("tcp6", "0A"))
        ):
            table = read(f"/proc/{self.pid}/net/{kind}")
            if re.search(rf":{port:04X} [0-9A-F]+:0000 {state} ", table):
                return True
        return False

    def start(self):
        wait_for(self._found_pid, f"{self.name} to run")

        def serves():
            time.sleep(0.03)
            if self.process.poll() is not None:
                self._found_pid()
            if self.program.port and not self.listens():
                self._found_pid()
                return False
            return self.program.ready is None or self.program.ready(self)

        try:
            wait_for(serves, f"{self.name} to serve", 20)
        except Broken as broken:
            raise Stopped(f"{broken}: {read(self.log)[-400:]}") from None

    def path(self, path):
        """A file of the container, as this program sees it."""
        return f"/proc/{self.pid}/root{path}"

    def write(self, path, text, mode="w"):
        with open(self.path(path), mode, encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        return read(self.path(path))

    def signal(self, name):
        self.node.ctr("task", "kill", "-s", name, self.name)

    def signal_process(self, name, words):
        """To the first process of the container whose command line has `words`."""
        for pid in self.processes(words)[:1]:
            subprocess.run(["kill", "-s", name, str(pid)], check=False)

    def processes(self, words=""):
        found = []
        pids = [str(self.pid)]
        while pids:
            pid = pids.pop()
            for task in os.listdir(f"/proc/{pid}/task") if os.path.isdir(f"/proc/{pid}") else []:
                pids += read(f"/proc/{pid}/task/{task}/children").split()
            if words in read(f"/proc/{pid}/cmdline").replace("\0", " "):
                found.append(int(pid))
        return sorted(found)

    def end(self, signal="TERM", seconds=8):
        """The exit status after the signal; that of SIGKILL where it does not end."""
        if self.process.poll() is None and signal:
            self.node.ctr("task", "kill", "-s", signal, self.name, check=False)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        self.clear()
        return status

    def clear(self):
        for connection in self.sockets:
            with contextlib.suppress(OSError):
                connection.close()
        if self.process.poll() is None:
            # `ctr run` waits for a task that a broken runtime no longer has, so not for ever.
            self.node.ctr("task", "kill", "-s", "KILL", "-a", self.name, check=False)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["umount", "-l", self.network], check=False, stderr=subprocess.DEVNULL)
        with contextlib.suppress(OSError):
            os.unlink(self.network)
        shutil.rmtree(self.run, ignore_errors=True)

    # Exercises say what they do, and what the right answer is.

    def step(self, what, action, right=bool):
        """Notes a wrong answer. `right` judges it; an exception is a wrong one too."""
        self.steps += 1
        try:
            answer = action()
            self.silent = 0
            if right(answer):
                return answer
            self.wrong.append(f"{what}: {str(answer)[:160]}")
        except (
            OSError,
            http.client.HTTPException,
            subprocess.SubprocessError,
            ValueError,
            LookupError,  # an answer that is shorter than it should be
            struct.error,
        ) as error:
            self.wrong.append(f"{what}: {type(error).__name__}: {str(error)[:160]}")
            self.silent += 1
        if (state := self.state()) != "RUNNING":
            raise Stopped(state)
        if self.silent >= 4:
            raise Stopped("it runs, and gives no answers")
        return None

    # Clients.

    @contextlib.contextmanager
    def inside(self):
        """This thread is in the container's network; sockets made meanwhile stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as own, open(self.network, "rb") as other:
            if libc.setns(other.fileno(), CLONE_NEWNET) != 0:
                raise Broken(f"{self.name}: cannot enter its network")
            try:
                yield
            finally:
                libc.setns(own.fileno(), CLONE_NEWNET)

    def socket(self, kind=socket.SOCK_STREAM):
        with self.inside():
            made = socket.socket(socket.AF_INET, kind)
        made.settimeout(PATIENCE)
        self.sockets.append(made)
        return made

    def tcp(self, port=None):
        made = self.socket()
        made.connect(("127.0.0.1", port or self.program.port))
        return Line(made)

    def unix(self, path):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(PATIENCE)
        made.connect(self.path(path))
        return Line(made)

    def ask(self, text, end=rb"\n", port=None):
        with self.tcp(port) as line:
            return line.ask(text, end)

    def datagram(self, data, port=None):
        with self.socket(socket.SOCK_DGRAM) as made:
            made.sendto(data, ("127.0.0.1", port or self.program.port))
            return made.recv(1 << 16)

    def http(self, path, method="GET", body=None, headers=None, port=None):
        line = self.tcp(port)
        client = http.client.HTTPConnection("127.0.0.1", port or self.program.port)
        client.sock = line.connection
        try:
            client.request(method, path, body, headers or {})
            got = client.getresponse()
            return Answer(got.status, dict(got.getheaders()), got.read())
        finally:
            client.close()

    def get(self, what, path, status=200, **options):
        """A request that has to be answered with `status`."""
        return self.step(what, lambda: self.http(path, **options), lambda a: a.status == status)

    def many(self, what, count, action):
        """The same by `count` clients at once; every answer has to be right."""

        def all_right():
            answers = []
            threads = [
                threading.Thread(target=lambda: answers.append(self._tried(action)))
                for _ in range(count)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return len([a for a in answers if a]) == count

        return self.step(what, all_right)

    @staticmethod
    def _tried(action):
        try:
            return action()
        except (OSError, http.client.HTTPException):
            return False

    def client(self, *command, data=None):
        """A client program of the image, in the container's network and files, and no part of the
        container: (exit status, output)."""
        done = subprocess.run(
            ["nsenter", "--net=" + self.network, "chroot", f"/proc/{self.pid}/root", *command],
            text=True,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE * 2,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
            check=False,
        )
        return done.returncode, done.stdout

    def backend(self, port, answer):
        """A server beside the container: `answer` makes of a request's bytes the response's."""
        listener = self.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        listener.settimeout(None)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(PATIENCE)
                    connection.sendall(answer(whole_request(connection)))

        threading.Thread(target=serve, daemon=True).start()

        def stop():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

        return stop

    def datagram_backend(self, port, answer):
        server = self.socket(socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", port))
        server.settimeout(None)

        def serve():
            while True:
                try:
                    data, sender = server.recvfrom(1 << 16)
                    server.sendto(answer(data), sender)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()


def whole_request(connection):
    request = connection.recv(1 << 16)
    while b"\r\n\r\n" not in request:
        request += connection.recv(1 << 16) or b"\r\n\r\n"
    head, body = request.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0 and (part := connection.recv(min(left, 1 << 16))):
        left -= len(part)
    return request


def ok_response(body, more=""):
    """An HTTP response, whole."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return (head + more + "\r\n").encode() + body
