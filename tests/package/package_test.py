#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what is released out of a build, signed by a throwaway key. Two runs make the same bytes,
and two builds the same programs. The SPDX document says what is linked, the tarball runs where
there is nothing else, wardd's image under the stock runtime. The package has the life of one, in
the smallest Debian 12: it installs with what it depends on, its programs start, a second
installation keeps what was edited, it is not removed under living shims, and a purge leaves
nothing."""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
for folder in ("evaluate", "support", "workloads"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))
import private_node  # noqa: E402
import roots  # noqa: E402

PACKAGE = os.path.join(ROOT, "scripts", "package")
SHIM = "/usr/bin/containerd-shim-ward-v1"
WARDD_IN_IMAGE = "/usr/local/bin/wardd"
PROGRAMS = ("shim/containerd-shim-ward-v1", "enforcer/wardd", "cli/ward", "cli/ward-static")
ENDS = ("spdxElementId", "relatedSpdxElement")
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


def make(build, directory, *options):
    """What is made, by the ends of the names."""
    subprocess.run(
        [PACKAGE, "--uncompressed", "--build", build, "--output", directory, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return {name: os.path.join(directory, name) for name in sorted(os.listdir(directory))}


def only(made, end):
    return next(path for name, path in made.items() if name.endswith(end))


def same(one, other):
    with open(one, "rb") as first, open(other, "rb") as second:
        return first.read() == second.read()


def make_key(directory):
    """Secret and public half, without a password."""
    secret, public = (os.path.join(directory, name) for name in ("key", "key.pub"))
    run("minisign", "-G", "-W", "-s", secret, "-p", public)
    return secret, public


def run(*command, **options):
    return subprocess.run(
        command,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **options,
    )


def signed(made, public):
    folder = os.path.dirname(made["SHA256SUMS"])
    done = run("minisign", "-Vm", made["SHA256SUMS"], "-p", public)
    expect(done.returncode == 0, "the sums are signed by the key")
    done = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=folder)
    with open(made["SHA256SUMS"], encoding="ascii") as file:
        said = {line.split("  ")[1].strip() for line in file}
    expect(done.returncode == 0, "the sums are those of the files")
    expect(said == {n for n in made if not n.startswith("SHA256SUMS")}, "and of all files")
    changed = made["SHA256SUMS"] + ".changed"
    with open(changed, "w", encoding="ascii") as file:
        file.write("0" * 64 + "  ward.deb\n")
    shutil.copy(made["SHA256SUMS.minisig"], changed + ".minisig")
    expect(run("minisign", "-Vm", changed, "-p", public).returncode != 0, "others are refused")
    for name in (changed, changed + ".minisig"):
        os.unlink(name)


def says_what_is_linked(path, build):
    """Against the loader's word; the archives by what must be among them."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    ids = {"SPDXRef-DOCUMENT"}
    ids |= {item["SPDXID"] for item in document["packages"] + document["files"]}
    relations = document["relationships"]
    ends = {relation[key] for relation in relations for key in ENDS}
    expect(
        document["spdxVersion"] == "SPDX-2.3" and ends <= ids, "the SPDX document holds together"
    )
    names = {item["SPDXID"]: item["name"] for item in document["packages"]}
    linked = {
        kind: {names[r[ENDS[1]]] for r in relations if r["relationshipType"] == kind}
        for kind in ("STATIC_LINK", "DYNAMIC_LINK")
    }
    needed = set()
    for program in ("enforcer/wardd", "cli/ward"):
        said = run("ldd", os.path.join(build, program)).stdout
        needed |= set(re.findall(r"(/\S+) \(0x", said))
    holders = set()
    for library in needed:
        said = run("dpkg", "-S", os.path.realpath(library)).stdout
        said = said if ": /" in said else run("dpkg", "-S", library).stdout
        holders.add(said.split(":")[0])
    expect(holders <= linked["DYNAMIC_LINK"], "it names the packages of all shared libraries")
    wanted = {"libc6-dev", "libgrpc++-dev", "libprotobuf-dev", "libseccomp-dev", "libsodium-dev"}
    expect(wanted <= linked["STATIC_LINK"], "and those of the archives in static programs")
    versions = {item["name"]: item["versionInfo"] for item in document["packages"]}
    here = run("dpkg-query", "-W", "-f", "${Version}", "libgrpc++-dev").stdout
    expect(versions["libgrpc++-dev"] == here, "with the versions that are linked")


def exposes_little():
    if not shutil.which("systemd-analyze"):
        print("  skipped: no systemd-analyze to judge the unit (scripts/setup --vm has it)")
        return
    judge = ["systemd-analyze", "security", "--offline=true", "--threshold=40"]
    done = run(*judge, os.path.join(ROOT, "scripts/deb/wardd.service"))
    expect(done.returncode == 0, "the exposure of wardd's unit is 4.0 or less")


def runs_alone(tarball, directory):
    """In a root with nothing in it but the tarball."""
    root = os.path.join(directory, "bare")
    os.makedirs(os.path.join(root, "usr/local"))
    run("tar", "-xzf", tarball, "-C", os.path.join(root, "usr/local"))
    for words in (["ward", "--version"], ["wardd", "--version"], ["containerd-shim-ward-v1", "-v"]):
        done = run("chroot", root, "/usr/local/bin/" + words[0], *words[1:])
        expect(done.returncode == 0 and done.stdout, f"`{' '.join(words)}` answers in a bare root")


def image_runs(archive, build):
    """Imported by ctr, under the stock runtime, with a run directory of the node."""
    private_node.enter_mount_namespace()
    stock = ["run", "--runtime", "io.containerd.runc.v2"]
    with private_node.PrivateNode(build) as node:
        node.start_containerd()
        said = node.ctr("image", "import", archive).stdout
        reference = re.search(r"docker.io/ward/wardd:[\w.]+", said)[0]
        said = node.ctr(*stock, "--rm", reference, "asked", WARDD_IN_IMAGE, "--version").stdout
        expect(said.startswith("wardd "), "wardd of the image says its version")
        place = f"type=bind,src={node.run},dst=/run/ward,options=rbind:rw"
        node.ctr(*stock, "-d", "--privileged", "--mount", place, reference, "serves")
        try:
            private_node.wait_for(
                lambda: node.ward("status", check=False).returncode in (0, 6), "an answer"
            )
            recorder = node.ward_json("status")["recorder"]
            expect(recorder.startswith("ebpf"), f"wardd of the image serves, recorder: {recorder}")
        finally:
            node.ctr("task", "kill", "-s", "TERM", "serves", check=False)
            private_node.wait_for(
                lambda: node.ctr("task", "rm", "serves", check=False).returncode == 0, "its end"
            )
            node.ctr("container", "rm", "serves", check=False)
    expect(True, "and ends when it is asked to")


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
    parser.add_argument("--other", help="a second build, whose programs must be the same")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("package: skipped: it installs the package in a root of its own, which needs root")
        sys.exit(77)
    build = os.path.abspath(options.build)
    base = roots.base("bookworm")
    with tempfile.TemporaryDirectory(prefix="ward-package-") as directory:
        secret, public = make_key(directory)
        first, second = (
            make(build, os.path.join(directory, name), "--key", secret) for name in ("a", "b")
        )
        expect(
            all(same(path, second[name]) for name, path in first.items()),
            f"two runs make the same bytes: {' '.join(first)}",
        )
        if options.other:
            expect(
                all(
                    same(*(os.path.join(at, p) for at in (build, options.other))) for p in PROGRAMS
                ),
                "two builds in two folders make the same programs",
            )
        signed(first, public)
        says_what_is_linked(only(first, ".spdx.json"), build)
        exposes_little()
        runs_alone(only(first, ".tar.gz"), directory)
        root = os.path.join(directory, "root")
        subprocess.run(["cp", "-a", base, root], check=True)
        # The base leaves out pages and documents, which a node has.
        for path in glob.glob(os.path.join(root, "etc/dpkg/dpkg.cfg.d/*")):
            os.unlink(path)
        with roots.usable(root):
            live(root, only(first, ".deb"))
        image_runs(only(first, "64.tar"), build)
    print("package: all of it holds")


if __name__ == "__main__":
    main()
