# SPDX-License-Identifier: Apache-2.0
"""The files of a small node: Debian's base with systemd, containerd and runc, and what Ward's
package depends on, so that it is installed without a network. Kept below .cache/package."""
import os
import shutil
import subprocess

import roots

CACHE = os.path.join(os.path.dirname(roots.CACHE), "package")
NODE = ["systemd", "systemd-sysv", "dbus", "kmod", "iproute2", "containerd", "runc", "minisign"]
PATTERNS = "/etc/dpkg/dpkg.cfg.d"


def depends(package):
    said = subprocess.run(
        ["dpkg-deb", "--field", package, "Depends"], text=True, stdout=subprocess.PIPE, check=True
    ).stdout
    return [need.split("(")[0].split("|")[0].strip() for need in said.split(",")]


def node(suite, needed):
    """The directory of a node of the release, without Ward but with the packages it needs."""
    path = os.path.join(CACHE, "node-" + suite)
    if os.path.exists(path):
        return path
    new = path + ".new"
    os.makedirs(CACHE, exist_ok=True)
    roots.remove(new)
    roots.run(["cp", "-a", roots.base(suite), new])
    # The base leaves out pages and documents, which a node has.
    for name in os.listdir(new + PATTERNS):
        os.unlink(os.path.join(new + PATTERNS, name))
    with roots.usable(new):
        roots.run(
            ["chroot", new, "apt-get", "-y", "-q", "--no-install-recommends"]
            + ["-o", "APT::Sandbox::User=root", "install", *NODE, *needed],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        )
        roots.run(["chroot", new, "apt-get", "clean"])
    # There is no network: what apt could fetch is not to be read by an emulated processor.
    shutil.rmtree(new + "/var/lib/apt/lists", ignore_errors=True)
    # systemd asks nothing at the first boot.
    with open(new + "/etc/machine-id", "w", encoding="ascii") as file:
        file.write("0" * 31 + "1\n")
    os.rename(new, path)
    return path
