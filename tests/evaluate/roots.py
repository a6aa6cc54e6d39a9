# SPDX-License-Identifier: Apache-2.0
"""Images as people have them: Debian's packages installed by apt in a root file system of its own,
so every maintainer script ran. A base of each release is made once by mmdebstrap; each program is a
copy of it with its packages. Kept below .cache/evaluate until the recipe changes."""
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

import images
from private_node import ROOT, Broken, read

CACHE = os.path.join(os.environ.get("WARD_CACHE_DIR") or os.path.join(ROOT, ".cache"), "evaluate")
MIRROR = os.environ.get("WARD_DEBIAN_MIRROR", "http://deb.debian.org/debian")
# What people type into an exec session; images that are looked after have them.
TOOLS = ["procps", "curl"]
WITHOUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]


def run(command, **options):
    done = subprocess.run(
        command,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **options,
    )
    if done.returncode != 0:
        raise Broken(f"`{' '.join(command)}` exits with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def base(suite):
    """The directory of a release's smallest system with apt and its lists of packages."""
    path = os.path.join(CACHE, "base-" + suite)
    if not os.path.exists(path):
        os.makedirs(CACHE, exist_ok=True)
        shutil.rmtree(path + ".new", ignore_errors=True)
        run(
            ["mmdebstrap", "--mode=root", "--format=directory", "--variant=minbase"]
            + ["--include=" + ",".join(TOOLS), "--skip=cleanup/apt/lists"]
            + [f"--dpkgopt=path-exclude={pattern}" for pattern in WITHOUT]
            + [suite, path + ".new", MIRROR]
        )
        os.rename(path + ".new", path)
    return path


@contextlib.contextmanager
def usable(root):
    """What maintainer scripts expect of a machine, and no service that starts."""
    policy = os.path.join(root, "usr/sbin/policy-rc.d")
    with open(policy, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))
    mounts = [["-t", "proc", "proc", root + "/proc"], ["--rbind", "/dev", root + "/dev"]]
    try:
        for mount in mounts:
            run(["mount", *mount])
        yield
    finally:
        for mount in reversed(mounts):
            subprocess.run(["umount", "-R", mount[-1]], check=False, stderr=subprocess.DEVNULL)
        os.unlink(policy)


def remove(root):
    """Never through a mount: what is behind one is the machine's."""
    if f" {root}/" in read("/proc/self/mountinfo"):
        raise Broken(f"something is mounted below {root} still")
    shutil.rmtree(root, ignore_errors=True)


def install(program, root):
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    # Some maintainer scripts make links there, and the base has no manuals.
    os.makedirs(root + "/usr/share/man/man1", exist_ok=True)
    with usable(root):
        if program.packages:
            run(
                ["chroot", root, "apt-get", "-y", "-q", "--no-install-recommends"]
                + ["-o", "APT::Sandbox::User=root", "install", *program.packages],
                env=environment,
            )
        for path, content in program.files.items():
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            with open(root + path, "w", encoding="utf-8") as file:
                file.write(content)
            if content.startswith("#!"):
                os.chmod(root + path, 0o755)
        for command in program.setup:
            run(["chroot", root, "sh", "-ec", command], env=environment)
        run(["chroot", root, "apt-get", "clean"], env=environment)
    shutil.rmtree(root + "/var/lib/apt/lists", ignore_errors=True)


def layer(root):
    """One tar of the tree with its owners and modes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in sorted(os.listdir(root)):
            if entry in ("dev", "proc", "sys"):
                os.makedirs(os.path.join(root, entry), exist_ok=True)
                tar.add(os.path.join(root, entry), entry, recursive=False)
            else:
                tar.add(os.path.join(root, entry), entry)
    return out.getvalue()


def image(program):
    """The path of the program's image archive, and its reference."""
    recipe = [program.packages, program.files, program.setup, program.user, TOOLS, WITHOUT, MIRROR]
    recipe.append(program.suite)
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    said = images.Image(
        program.image_name, [], program.command, program.user, stop_signal=program.stop
    )
    path = os.path.join(CACHE, f"{program.image_name}-{digest}.tar")
    if not os.path.exists(path) or not os.path.exists(path + ".run"):
        root = os.path.join(CACHE, program.image_name + ".new")
        remove(root)
        run(["cp", "-a", base(program.suite), root])
        try:
            install(program, root)
            shutil.rmtree(path + ".run", ignore_errors=True)
            run(["cp", "-a", root + "/run", path + ".run"])
            images.archive(said, layer(root), path)
        finally:
            remove(root)
    return path, said.reference
