#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the Debian package of a build and gives it the life of one, in the smallest Debian 12: two
runs make the same bytes, it installs with what it depends on, its programs start, a second
installation keeps what was edited, it is not removed under living shims, and a purge leaves
nothing."""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
for folder in ("evaluate", "support", "workloads"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))
import roots  # noqa: E402

PACKAGE = os.path.join(ROOT, "scripts", "package")
SHIM = "/usr/bin/containerd-shim-ward-v1"
SETTINGS = "etc/ward/wardd.yaml"
# What a node must find in it, besides.
EXPECTED = (
    SHIM,
    "/usr/bin/ward-inspect",
    "/usr/bin/wardd",
    "/usr/bin/ward",
    "/lib/systemd/system/wardd.service",
    "/usr/share/man/man1/ward-profile.1.gz",
    "/usr/share/man/man8/wardd.8.gz",
    "/usr/share/man/man8/containerd-shim-ward-v1.8.gz",
    "/usr/share/bash-completion/completions/ward",
    "/usr/share/zsh/vendor-completions/_ward",
    "/usr/share/fish/vendor_completions.d/ward.fish",
    "/usr/share/doc/ward/copyright",
    "/usr/share/doc/ward/changelog.gz",
    "/etc/ward/wardd.yaml",
    "/etc/ward/profiles",
    "/etc/ward/policies",
)
# What apt and dpkg keep about any package.
KEPT_BY_OTHERS = ("var/lib/dpkg", "var/lib/apt", "var/cache", "var/log", "proc", "dev", "tmp")


def expect(holds, what):
    if not holds:
        sys.exit(f"package: FAILED: {what}")
    print(f"  ok  {what}", flush=True)


def make(build, directory):
    done = subprocess.run(
        [PACKAGE, "--uncompressed", "--build", build, "--output", directory],
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


def inside(root, *command, **options):
    return subprocess.run(
        ["chroot", root, *command],
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        check=False,
        **options,
    )


def files(root):
    found = set()
    for path, folders, names in os.walk(root):
        here = os.path.relpath(path, root)
        folders[:] = [f for f in folders if os.path.normpath(f"{here}/{f}") not in KEPT_BY_OTHERS]
        found |= {os.path.normpath(f"{here}/{name}") for name in [*folders, *names]}
    return found


def apt(root, *words):
    return inside(root, "apt-get", "-qq", "-y", *words)


def live(root, package):
    shutil.copy(package, os.path.join(root, "tmp/ward.deb"))
    # Its dependencies first, so that what a purge leaves is the package's own.
    needs = subprocess.run(
        ["dpkg-deb", "--field", package, "Depends"], text=True, stdout=subprocess.PIPE, check=True
    ).stdout
    names = [need.split("(")[0].split("|")[0].strip() for need in needs.split(",")]
    done = apt(root, "install", "--no-install-recommends", *names)
    expect(done.returncode == 0, f"its dependencies are Debian 12's: {len(names)} packages")
    before = files(root)

    done = apt(root, "install", "--no-install-recommends", "/tmp/ward.deb")
    expect(done.returncode == 0, f"it installs\n{done.stdout[-2000:] if done.returncode else ''}")
    missing = [path for path in EXPECTED if not os.path.exists(root + path)]
    expect(not missing, f"it brings all that a node needs {missing or ''}")
    for command in (["ward", "version"], ["wardd", "--version"], [SHIM, "-v"]):
        done = inside(root, *command)
        expect(done.returncode == 0 and done.stdout, f"`{' '.join(command)}` answers")

    with open(os.path.join(root, SETTINGS), "a", encoding="ascii") as file:
        file.write("metrics: {listen: 127.0.0.1:9464}\n")
    done = apt(root, "install", "--reinstall", "--no-install-recommends", "/tmp/ward.deb")
    with open(os.path.join(root, SETTINGS), encoding="ascii") as file:
        kept = "9464" in file.read()
    expect(done.returncode == 0 and kept, "a second installation keeps what was edited")

    refuse_under_shims(root)
    done = apt(root, "remove", "ward")
    expect(done.returncode == 0, "it is removed once they have ended")
    expect(os.path.exists(os.path.join(root, SETTINGS)), "a removal keeps the settings")
    done = apt(root, "purge", "ward")
    expect(done.returncode == 0, "it is purged")
    left = sorted(files(root) - before)
    expect(not left, f"a purge leaves nothing {left or ''}")


def refuse_under_shims(root):
    """A process with the shim's path stands for a pod that runs."""
    os.rename(root + SHIM, root + SHIM + ".aside")
    shutil.copy(os.path.join(root, "usr/bin/cat"), root + SHIM)
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(["chroot", root, SHIM], text=True, **ends) as shim:
        shim.stdin.write("are you there?\n")
        shim.stdin.flush()
        shim.stdout.readline()
        done = apt(root, "remove", "ward")
        shim.stdin.close()
    refused = done.returncode != 0 and "1 shims serve pods" in done.stdout
    expect(refused, "it is not removed under living shims, and says so")
    os.rename(root + SHIM + ".aside", root + SHIM)
    done = inside(root, "dpkg", "--configure", "-a")
    expect(done.returncode == 0, "and is as it was")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("package: skipped: it installs the package in a root of its own, which needs root")
        sys.exit(77)
    build = os.path.abspath(options.build)
    base = roots.base("bookworm")
    with tempfile.TemporaryDirectory(prefix="ward-package-") as directory:
        first, second = (make(build, os.path.join(directory, name)) for name in ("a", "b"))
        with open(first, "rb") as one, open(second, "rb") as other:
            expect(one.read() == other.read(), "two runs make the same bytes")
        root = os.path.join(directory, "root")
        subprocess.run(["cp", "-a", base, root], check=True)
        # The base leaves out pages and documents, which a node has.
        for path in glob.glob(os.path.join(root, "etc/dpkg/dpkg.cfg.d/*")):
            os.unlink(path)
        with roots.usable(root):
            live(root, first)
    print("package: all of it holds")


if __name__ == "__main__":
    main()
