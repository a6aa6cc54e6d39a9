# SPDX-License-Identifier: Apache-2.0
"""What no shim can save: the client and the OCI runtime, measured without any shim."""
import json
import os
import select
import subprocess
import time

from private_node import CONTAINERD_STATE, Broken


class Floor:
    """The runtime's verbs on the bundle of a stock container, which lives meanwhile."""

    def __init__(self, bench, runtime, flags, image):
        self.node = bench.node
        self.container = bench.name("floor")
        self.node.ctr(
            "run", "-d", "--runtime", runtime, *flags, image, self.container, "/box", "wait"
        )
        theirs = os.path.join(
            CONTAINERD_STATE, "io.containerd.runtime.v2.task", self.node.name, self.container
        )
        with open(os.path.join(theirs, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        config["process"]["args"] = ["/box", "true"]
        config["root"]["path"] = os.path.join(theirs, "rootfs")
        config["linux"]["cgroupsPath"] = f"/{self.node.name}/floor"
        self.bundle = os.path.join(CONTAINERD_STATE, "floor")
        os.makedirs(self.bundle, exist_ok=True)
        with open(os.path.join(self.bundle, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)

    def _runc(self, root, *arguments):
        # No pipes: the container's process would hold them.
        done = subprocess.run(
            ["runc", "--root", root, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.node.environment,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            raise Broken(f"runc {arguments[0]} alone exits with {done.returncode}")

    def client(self):
        begin = time.monotonic()
        self.node.ctr("version")
        return (time.monotonic() - begin) * 1000

    def exec(self):
        begin = time.monotonic()
        self._runc(
            f"/run/containerd/runc/{self.node.name}",
            "exec",
            "--detach",
            self.container,
            "/box",
            "true",
        )
        return (time.monotonic() - begin) * 1000

    def life(self):
        """create, start and delete; the program's own time is left out."""
        root, pid_file = os.path.join(self.bundle, "runc"), os.path.join(self.bundle, "pid")
        begin = time.monotonic()
        self._runc(root, "create", "--bundle", self.bundle, "--pid-file", pid_file, "floor")
        with open(pid_file, encoding="ascii") as file:
            pidfd = os.pidfd_open(int(file.read()))
        self._runc(root, "start", "floor")
        took = time.monotonic() - begin
        select.select([pidfd], [], [], 30)
        os.close(pidfd)
        begin = time.monotonic()
        self._runc(root, "delete", "floor")
        return (took + time.monotonic() - begin) * 1000
