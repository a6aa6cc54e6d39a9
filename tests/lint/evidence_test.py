#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/evidence on repositories of its own: what it has to refuse, it refuses."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEPT = "docs/results/sample.json"


class Repository:
    def __init__(self, directory):
        self.directory = directory
        self.write("part/file", "1")
        self.write("other/file", "1")
        os.makedirs(self.path("scripts"))
        shutil.copy(os.path.join(ROOT, "scripts", "evidence"), self.path("scripts"))
        self.write(
            KEPT,
            json.dumps(
                {
                    "name": "sample",
                    "date": "",
                    "commit": "",
                    "command": "echo ' result: 5 of 5'",
                    "parts": {"part": ""},
                    "seconds": 0,
                    "machine": "",
                    "result": [],
                }
            ),
        )
        self.git("init", "-q")
        self.commit("first")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def git(self, *arguments):
        identity = [
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@invalid",
            "-c",
            "commit.gpgsign=false",
        ]
        subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.directory,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def expect(self, status, text, *arguments, directory=None):
        done = subprocess.run(
            [sys.executable, "-B", "scripts/evidence", *arguments],
            cwd=directory or self.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != status or text not in done.stdout:
            sys.exit(
                f"evidence {arguments}: wanted {status} and '{text}', it is {done.returncode}:\n"
                f"{done.stdout}"
            )


def main():
    with tempfile.TemporaryDirectory(prefix="ward-evidence-") as directory:
        kept = Repository(os.path.join(directory, "whole"))
        kept.expect(1, "never made", "check")
        kept.expect(0, "wrote " + KEPT, "run", "sample")
        with open(kept.path(KEPT), encoding="utf-8") as file:
            made = json.load(file)
        assert made["result"] == ["5 of 5"] and len(made["commit"]) == 40 and made["date"], made
        kept.commit("its result")
        kept.expect(0, "1 kept results, none older", "check")
        kept.write("other/file", "2")
        kept.commit("elsewhere")
        kept.expect(0, "none older", "check")
        kept.write("part/file", "2")
        kept.expect(1, "this is in none", "run", "sample")
        kept.commit("the part itself")
        kept.expect(1, "the part itself", "check")
        kept.expect(0, "wrote", "run", "sample")
        kept.commit("its result again")
        kept.expect(0, "none older", "check")
        kept.write(KEPT, json.dumps({**made, "command": "echo result: 4 of 5; exit 1"}))
        kept.expect(1, "stays as it was", "run", "sample")
        kept.git("checkout", "-q", KEPT)
        shallow = os.path.join(directory, "shallow")
        kept.git("clone", "-q", "--depth", "1", "file://" + kept.directory, shallow)
        kept.expect(0, "none older", "check", directory=shallow)
        kept.git("mv", "part", "renamed")
        kept.commit("the part has another name")
        kept.expect(1, "its part part does not exist", "check")
    print("scripts/evidence refuses what it has to refuse")


if __name__ == "__main__":
    main()
