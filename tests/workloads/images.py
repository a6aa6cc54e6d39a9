# SPDX-License-Identifier: Apache-2.0
"""OCI images out of Debian packages, without a registry: `apt-get download`, `dpkg -x`, one layer,
one archive.

The archive holds no maintainer script and no package that only such a script needs, and is the same
bytes each time for the same package versions. Used by scripts/build-image, and through it by the
demo, the benchmark and the integration tests."""
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
# Shared libraries, and what is one by another name. The rest of a closure (debconf, adduser, ...)
# serves installation only.
LIBRARY = re.compile(r"^(lib|zlib|lua-)")
ACCOUNTS = {"root": 0, "www-data": 33, "redis": 101, "nobody": 65534}
BOX = ("box.c", "offers.h")  # what the program `box` is made of
TRIGGER = "trigger"  # the fifo that `box entry` watches


@dataclasses.dataclass
class Image:
    name: str
    packages: list
    command: list
    user: str = "root"
    directories: dict = dataclasses.field(default_factory=dict)  # path -> owner
    files: dict = dataclasses.field(default_factory=dict)  # path -> content
    stop_signal: str = "SIGTERM"
    labels: dict = dataclasses.field(default_factory=dict)

    @property
    def reference(self):
        return f"docker.io/ward/{self.name}:demo"


NGINX_CONF = """\
worker_processes 2;
error_log stderr;
pid /run/nginx.pid;
user www-data;
events { worker_connections 512; }
http {
  access_log off;
  server_tokens off;
  types { text/html html; }
  sendfile on;
  keepalive_timeout 30;
  server { listen 80; root /srv; }
}
"""


def entry(*command):
    return ["/box", "entry", "/" + TRIGGER, *command]


IMAGES = {
    "box": Image("box", [], ["/box", "true"]),
    "pause": Image("pause", [], ["/box", "wait"]),  # what holds a pod together
    "nobody": Image("nobody", [], ["/box", "wait"], user="nobody"),
    # Says of itself, in every place that an image has, what only containerd and the pod may say.
    "hostile-labels": Image(
        "hostile-labels",
        [],
        ["/box", "wait"],
        labels={
            "io.kubernetes.cri.container-name": "trusted",
            "io.kubernetes.cri.container-type": "sandbox",
            "io.kubernetes.cri.sandbox-namespace": "kube-system",
            "io.kubernetes.cri.sandbox-name": "trusted",
            "io.kubernetes.cri.image-name": "docker.io/ward/trusted:1",
            "ward.dev/mode": "off",
            "ward.dev/action": "log",
        },
    ),
    "nginx": Image(
        "nginx",
        ["nginx"],
        entry("/usr/sbin/nginx", "-g", "daemon off;"),
        stop_signal="SIGQUIT",
        directories={
            "/run": "root",
            "/var/lib/nginx": "root",
            "/var/log/nginx": "root",
            "/tmp": "root",
        },
        files={
            "/etc/nginx/nginx.conf": NGINX_CONF,
            "/srv/index.html": "<h1>served by nginx</h1>\n",
            "/srv/large.html": "0123456789abcdef" * 8192,
        },
    ),
    "probing": Image(
        "probing", ["numactl", "keyutils"], ["/usr/bin/numactl", "--show"]
    ),  # ask for what filters refuse
    "redis": Image(
        "redis",
        ["redis-server"],
        entry(
            "/usr/bin/redis-server",
            "--protected-mode",
            "no",
            "--dir",
            "/data",
            "--save",
            "",
            "--appendonly",
            "no",
        ),
        user="redis",
        directories={"/data": "redis", "/tmp": "root"},
    ),
}


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


@contextlib.contextmanager
def replaced(path):
    """A path beside `path` that takes its place once it is written: builds that run at once never
    see half a file."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path) or ".") as directory:
        new = os.path.join(directory, os.path.basename(path))
        yield new
        os.rename(new, path)


def closure(packages):
    """The packages and, transitively, the shared libraries they depend on; a line of the plan is
    `name=version`."""
    found, wanted = {}, set(packages)
    while wanted:  # a level at a time: each call of apt-cache costs about a second
        records = (
            run("apt-cache", "show", "--no-all-versions", *sorted(wanted)).strip().split("\n\n")
        )
        wanted = set()
        for record in records:
            fields = dict(
                line.split(": ", 1)
                for line in record.splitlines()
                if re.match(r"^[A-Z][\w-]*: ", line)
            )
            package = fields["Package"]
            found[package] = fields["Version"]
            depends = ", ".join(fields[key] for key in ("Pre-Depends", "Depends") if key in fields)
            for group in filter(None, depends.split(", ")):
                name = re.split(r"[ :(]", group.split(" | ")[0])[0]
                # Of the program's own family everything counts: redis-server is a link to a file of
                # redis-tools.
                if LIBRARY.match(name) or name.split("-")[0] == package.split("-")[0]:
                    wanted.add(name)
        wanted -= found.keys()
    return sorted(f"{name}={version}" for name, version in found.items())


def planned(packages, cache):
    """The closure, remembered until apt's lists change."""
    if not packages:
        return []
    lists = os.stat("/var/lib/apt/lists").st_mtime_ns
    path = os.path.join(
        cache, "plan-" + hashlib.sha256(f"{lists} {sorted(packages)}".encode()).hexdigest()[:16]
    )
    if not os.path.exists(path):
        plan = closure(packages)
        os.makedirs(cache, exist_ok=True)
        with replaced(path) as new, open(new, "w", encoding="utf-8") as file:
            json.dump(plan, file)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def fetch(plan, cache):
    """Paths of the .deb files of a plan, downloaded once."""
    os.makedirs(cache, exist_ok=True)
    paths = []
    for item in plan:
        path = os.path.join(cache, item.replace("=", "_").replace(":", "%3a") + ".deb")
        if not os.path.exists(path):
            with tempfile.TemporaryDirectory(dir=cache) as directory:
                os.chmod(directory, 0o755)
                run(
                    "apt-get",
                    "-qq",
                    "download",
                    item,
                    "-o",
                    "APT::Sandbox::User=root",
                    cwd=directory,
                )
                (name,) = os.listdir(directory)
                os.rename(os.path.join(directory, name), path)
        paths.append(path)
    return paths


def box(cache):
    """The static program `box`, compiled once for each version of its source."""
    source = os.path.join(HERE, "box.c")
    digest = hashlib.sha256()
    for part in BOX:
        with open(os.path.join(HERE, part), "rb") as file:
            digest.update(file.read())
    path = os.path.join(cache, f"box-{digest.hexdigest()[:16]}")
    if not os.path.exists(path):
        os.makedirs(cache, exist_ok=True)
        with replaced(path) as new:
            run("cc", "-static", "-O2", "-s", "-o", new, source)
    return path


def populate(image, root, cache):
    for path in fetch(planned(image.packages, cache), os.path.join(cache, "debs")):
        run("dpkg", "-x", path, root)
    for unused in (
        "usr/share/doc",
        "usr/share/man",
        "usr/share/lintian",
        "lib/systemd",
        "usr/lib/systemd",
        "etc/init.d",
    ):
        subprocess.run(["rm", "-rf", os.path.join(root, unused)], check=True)
    accounts = "".join(f"{name}:x:{uid}:{uid}::/:/nonexistent\n" for name, uid in ACCOUNTS.items())
    groups = "".join(f"{name}:x:{uid}:\n" for name, uid in ACCOUNTS.items())
    files = {
        "/etc/passwd": accounts,
        "/etc/group": groups,
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        **image.files,
    }
    for path in ("/proc", "/sys", "/dev", *image.directories):
        os.makedirs(root + path, exist_ok=True)
    for path, content in files.items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with open(root + path, "w", encoding="utf-8") as file:
            file.write(content)
    run("cp", box(cache), root + "/box")


def layer(image, root):
    """One tar of the tree: sorted, without times, owned by root but for what the image says."""
    out = io.BytesIO()
    paths = sorted(
        os.path.join(at, name)
        for at, directories, files in os.walk(root)
        for name in directories + files
    )
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            member = tar.gettarinfo(path, os.path.relpath(path, root))
            uid = ACCOUNTS[image.directories.get("/" + member.name, "root")]
            member.uid, member.gid, member.uname, member.gname, member.mtime = uid, uid, "", "", 0
            if member.isreg():
                member.mode = 0o755 if member.mode & 0o100 else 0o644
                with open(path, "rb") as file:
                    tar.addfile(member, file)
            else:
                tar.addfile(member)
        fifo = tarfile.TarInfo(TRIGGER)
        fifo.type, fifo.mode = tarfile.FIFOTYPE, 0o600
        fifo.uid = fifo.gid = ACCOUNTS[image.user]
        tar.addfile(fifo)
    return out.getvalue()


def archive(image, tree, out):
    blobs = {}

    def blob(kind, data):
        data = data if isinstance(data, bytes) else json.dumps(data, sort_keys=True).encode()
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": f"sha256:{digest}",
            "size": len(data),
        }

    content = blob("layer.v1.tar", tree)
    config = blob(
        "config.v1+json",
        {
            "architecture": ARCH,
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [content["digest"]]},
            "config": {
                "Entrypoint": image.command,
                "User": image.user if image.user != "root" else "",
                "StopSignal": image.stop_signal,
                **({"Labels": image.labels} if image.labels else {}),
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/"],
                "WorkingDir": "/",
            },
        },
    )
    annotations = {"annotations": image.labels} if image.labels else {}
    manifest = blob(
        "manifest.v1+json",
        {"schemaVersion": 2, "config": config, "layers": [content], **annotations},
    )
    manifest["platform"] = {"architecture": ARCH, "os": "linux"}
    manifest["annotations"] = {
        "io.containerd.image.name": image.reference,
        "org.opencontainers.image.ref.name": "demo",
    }
    members = {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(
            {"schemaVersion": 2, "manifests": [manifest]}, sort_keys=True
        ).encode(),
        **{f"blobs/sha256/{digest}": data for digest, data in blobs.items()},
    }
    with replaced(out) as new, tarfile.open(new, "w") as tar:
        for name in sorted(members):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(members[name]), 0o644
            tar.addfile(member, io.BytesIO(members[name]))


def build(image, cache, out=None):
    """The path of the image's archive; built only when its packages, its recipe or this program
    changed."""
    recipe = json.dumps([dataclasses.asdict(image), planned(image.packages, cache)], sort_keys=True)
    digest = hashlib.sha256(recipe.encode())
    for source in (*BOX, "images.py"):
        with open(os.path.join(HERE, source), "rb") as file:
            digest.update(file.read())
    out = out or os.path.join(cache, f"{image.name}-{digest.hexdigest()[:16]}.tar")
    if not os.path.exists(out):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ward-image-") as root:
            os.chmod(root, 0o755)
            populate(image, root, cache)
            archive(image, layer(image, root), out)
    return out
