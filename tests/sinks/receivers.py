# SPDX-License-Identifier: Apache-2.0
"""What events_out.py sends to: an HTTP server that can lie, rsyslog, Alertmanager; and how events
get into a journal without a container: as the spool of a shim that ended."""
import hashlib
import http.server
import json
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.request

PATIENCE = 60.0


class Failed(Exception):
    """Something that had to hold does not."""


def wait_for(predicate, what, seconds=PATIENCE):
    """For what tells of itself by no event that a test could wait for: asks every 20 ms."""
    deadline = time.monotonic() + seconds
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)
    return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The wire form of a ward.node.v1.Violation, as far as it is needed here.
def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def violation(event_id, container, comm="memcached", namespace="shop"):
    identity = b"".join(
        field(number, text)
        for number, text in (
            (1, "k8s.io"),
            (2, container),
            (3, namespace),
            (4, f"pod-{container}"),
            (5, "app"),
            (6, "docker.io/shop/cart:1@sha256:" + "0f" * 32),
        )
    )
    return b"".join(
        (
            field(1, event_id),
            field(2, time.time_ns()),
            field(5, identity),
            field(7, 1),
            field(8, 3),
            field(9, "cart"),
            field(10, "5f2b" * 16),
            field(11, 4),
            field(12, 2),
            field(13, 0xC000003E),
            field(14, 272),
            field(15, "unshare"),
            field(16, varint(0x10000000)),
            field(17, "CLONE_NEWUSER"),
            field(18, 4711),
            field(19, 4711),
            field(20, comm),
            field(21, "/usr/bin/" + comm),
            field(27, "denied"),
            field(28, "unshare is not in profile cart"),
        )
    )


def leave_spool(state, name, records):
    """As a shim leaves it whose wardd was away: whole, under its name at once."""
    data = b""
    for record in records:
        length = struct.pack("<I", len(record))
        data += length + hashlib.sha256(length + record).hexdigest()[:16].encode() + record
    aside = os.path.join(state, f".{name}")
    with open(aside, "wb") as file:
        file.write(data)
    os.chmod(aside, 0o600)
    os.rename(aside, os.path.join(state, "spool", name))


class Certificates:
    """An authority, and a server's and a client's key and certificate by it."""

    def __init__(self, folder):
        self.ca, self.folder = os.path.join(folder, "ca.pem"), folder
        key = os.path.join(folder, "ca.key")
        self.run(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=ward test",
            "-keyout",
            key,
            "-out",
            self.ca,
        )
        self.server = self.issue("server", key, "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.client = self.issue("client", key, "extendedKeyUsage=clientAuth")

    @staticmethod
    def run(*arguments):
        subprocess.run(
            ["openssl", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def issue(self, name, ca_key, extension):
        path = {kind: os.path.join(self.folder, f"{name}.{kind}") for kind in ("pem", "key", "csr")}
        self.run(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            path["key"],
            "-out",
            path["csr"],
        )
        with open(path["csr"] + ".ext", "w", encoding="ascii") as file:
            file.write(extension + "\n")
        self.run(
            "x509",
            "-req",
            "-in",
            path["csr"],
            "-CA",
            self.ca,
            "-CAkey",
            ca_key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            path["csr"] + ".ext",
            "-out",
            path["pem"],
        )
        os.chmod(path["key"], 0o600)
        return path["pem"], path["key"]


class HttpReceiver:
    """POSTs, in order. `answer` says how: good, 500, 400, redirect, big, half, slow. The event that
    it `chokes_on` is answered with 500."""

    def __init__(self, certificates=None):
        self.port, self.certificates = free_port(), certificates
        self.answer, self.chokes_on = "good", None
        self.taken, self.asked = [], 0
        self.changed = threading.Condition()
        self.let_go = threading.Event()
        self.server = None
        self.begin()

    @property
    def url(self):
        return f"http{'s' if self.certificates else ''}://localhost:{self.port}/"

    def begin(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                receiver.serve(self)

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass

        self.let_go = threading.Event()
        self.connections = []
        self.server = Server(("127.0.0.1", self.port), Handler)
        if self.certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificates.server)
            context.load_verify_locations(self.certificates.ca)
            context.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        """No connection is left, so that what is not answered stays so."""
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve(self, request):
        self.connections.append(request.connection)
        body = request.rfile.read(int(request.headers["Content-Length"]))
        chokes = self.chokes_on and request.headers["Ward-Event-Id"] == self.chokes_on
        how = "500" if chokes else self.answer
        if how == "good":
            with self.changed:
                self.taken.append((dict(request.headers), body))
                self.changed.notify_all()
        with self.changed:
            self.asked += 1
            self.changed.notify_all()
        if how == "slow":
            self.let_go.wait(PATIENCE)
            return
        if how == "half":
            request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            request.close_connection = True
            return
        status = {"500": 500, "400": 400, "redirect": 302}.get(how, 200)
        answer = b"x" * (10 << 20) if how == "big" else b"{}"
        request.send_response(status)
        if how == "redirect":
            request.send_header("Location", "http://127.0.0.1:1/")
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def await_asked(self, more):
        with self.changed:
            until = self.asked + more
            if not self.changed.wait_for(lambda: self.asked >= until, PATIENCE):
                raise Failed(f"nobody asked {more} times")

    def await_events(self, identifiers, id_of):
        wanted = set(identifiers)
        with self.changed:
            if not self.changed.wait_for(
                lambda: wanted <= {id_of(t) for t in self.taken}, PATIENCE
            ):
                missing = sorted(wanted - {id_of(t) for t in self.taken})
                raise Failed(f"{len(missing)} events did not come, such as {missing[:3]}")
            return [id_of(taken) for taken in self.taken]


class Program:
    """A receiver that is a program of Debian's: runs in the foreground, ends by its pid."""

    def __init__(self, command, ready, log):
        self.command, self.ready, self.log = command, ready, log
        self.child = None

    def begin(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(self.ready, f"{self.command[0]} is ready, see {self.log}")

    def end(self, number=signal.SIGTERM):
        if self.child is None:
            return
        self.child.send_signal(number)
        self.child.wait(PATIENCE)
        self.child = None


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def rsyslog(folder, certificates):
    """rsyslogd with TCP, TLS and UDP; a line of the output is the id, the kind and the message."""
    ports = {kind: free_port() for kind in ("tcp", "tls", "udp")}
    out, configuration = os.path.join(folder, "syslog.out"), os.path.join(folder, "rsyslog.conf")
    certificate, key = certificates.server
    with open(configuration, "w", encoding="ascii") as file:
        file.write(
            f"""global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{certificates.ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="mmpstrucdata")
module(load="imudp")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
template(name="line" type="string" string="%inputname% %$!rfc5424-sd!ward@32473!id% %msg%\\n")
ruleset(name="all") {{
  action(type="mmpstrucdata")
  action(type="omfile" file="{out}" template="line" sync="on")
}}
input(type="imtcp" port="{ports['tls']}" name="tls" ruleset="all")
input(type="imptcp" port="{ports['tcp']}" name="tcp" ruleset="all")
input(type="imudp" port="{ports['udp']}" name="udp" ruleset="all")
""".replace(
                'module(load="imudp")', 'module(load="imudp")\nmodule(load="imptcp")'
            )
        )
    program = Program(
        ["rsyslogd", "-n", "-f", configuration, "-i", os.path.join(folder, "rsyslog.pid")],
        lambda: listens(ports["tcp"]) and listens(ports["tls"]),
        os.path.join(folder, "rsyslog.log"),
    )
    return program, ports, out


def alertmanager(folder):
    port, configuration = free_port(), os.path.join(folder, "alertmanager.yml")
    with open(configuration, "w", encoding="ascii") as file:
        file.write("route: {receiver: none}\nreceivers: [{name: none}]\n")
    program = Program(
        [
            "prometheus-alertmanager",
            f"--config.file={configuration}",
            f"--storage.path={folder}/alertmanager",
            "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        lambda: listens(port),
        os.path.join(folder, "alertmanager.log"),
    )

    def alerts():
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/api/v2/alerts", timeout=PATIENCE
        ) as answer:
            return json.load(answer)

    return program, port, alerts


class Wardd:
    """wardd of a build on places of its own. It finds no runc, so it measures none."""

    def __init__(self, build, folder):
        self.program = os.path.join(build, "enforcer", "wardd")
        self.ward = os.path.join(build, "cli", "ward")
        self.state = os.path.join(folder, "state")
        self.config = os.path.join(folder, "etc")
        self.log = os.path.join(folder, "wardd.log")
        self.environment = {
            **os.environ,
            "PATH": "/usr/bin:/bin",
            "WARD_CONFIG_DIR": self.config,
            "WARD_STATE_DIR": self.state,
            "WARD_RUN_DIR": os.path.join(folder, "run"),
        }
        os.makedirs(self.config)
        self.child = None

    def settings(self, sinks, more=""):
        aside = os.path.join(self.config, ".wardd.yaml")
        with open(aside, "w", encoding="ascii") as file:
            file.write("apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\n" + more)
            file.write("sinks: " + json.dumps(sinks) + "\n")
        os.rename(aside, os.path.join(self.config, "wardd.yaml"))

    def begin(self):
        reading, writing = os.pipe()
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [self.program, "--ready-fd", str(writing)],
                env=self.environment,
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        os.close(writing)
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        said = os.read(reading, 16) if ready else b""
        os.close(reading)
        if said != b"ready\n":
            raise Failed(f"wardd is not ready, see {self.log}")

    def end(self, number=signal.SIGTERM):
        began = time.monotonic()
        self.child.send_signal(number)
        status = self.child.wait(PATIENCE)
        self.child = None
        if number == signal.SIGTERM and status != 0:
            raise Failed(f"wardd ended with {status}, see {self.log}")
        return time.monotonic() - began

    def places(self, names):
        def place(name):
            try:
                with open(
                    os.path.join(self.state, "sinks", f"{name}.json"), encoding="ascii"
                ) as file:
                    return json.load(file)
            except FileNotFoundError:
                return None

        def all_places():
            found = {name: place(name) for name in names}
            return found if all(found.values()) else None

        return wait_for(all_places, "all sinks have a place")

    def status(self):
        done = subprocess.run(
            [self.ward, "status"],
            env=self.environment,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=PATIENCE,
        )
        return done.stdout
