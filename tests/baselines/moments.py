# SPDX-License-Identifier: Apache-2.0
"""What is measured: runtimes, how each is started, and the moments that it lives, with the exit
status of each (a signal's number and 128 where one ends it)."""
import dataclasses

TERM, HUP, PIPE, ABORT, FAULT = 143, 129, 141, 134, 139
# In the order of the tables. Those that a program of the C library ends differently stand below.
MOMENTS = {
    "start": 0,
    "exit": 3,
    "exit-in-thread": 4,
    "abort": ABORT,
    "term": TERM,
    "hup": HUP,
    "pipe": PIPE,
    "handled": 0,
    "interrupted": 0,
    "fault": FAULT,
    "overflow": 0,
    "memory-full": 0,
    "memory-churn": 0,
    "names-file": 0,
    "names-answered": 0,
    "names-refused": 0,
    "names-silent": 0,
    "users": 0,
    "time": 0,
    "threads": 0,
    "stdio": 0,
    "locale": 0,
    "double-free": ABORT,
    "uncaught": 1,
    "spawn": 0,
}


@dataclasses.dataclass
class Runtime:
    name: str
    command: list
    lacks: tuple = ()  # moments that it has no form of
    ends: dict = dataclasses.field(default_factory=dict)  # another exit status
    more: dict = dataclasses.field(default_factory=dict)  # arguments of the runtime in a moment

    def moments(self):
        return [moment for moment in MOMENTS if moment not in self.lacks]

    def words(self, moment):
        return [self.command[0], *self.more.get(moment, []), *self.command[1:], moment]

    def status(self, moment):
        return self.ends.get(moment, MOMENTS[moment])


C_ONLY = ("interrupted", "users", "double-free")
RUNTIMES = [
    Runtime("glibc", ["/programs/moments-glibc"], ("uncaught",)),
    # musl knows nothing of the second free, and stops by an instruction that faults.
    Runtime("musl", ["/programs/moments-musl"], ("uncaught",), {"double-free": FAULT}),
    Runtime(
        "go",
        ["/programs/moments-go"],
        (*C_ONLY, "locale", "uncaught"),
        {"fault": 2, "overflow": 2, "memory-full": 2, "pipe": 0},
    ),
    Runtime("python", ["/usr/bin/python3", "/programs/moments.py"], C_ONLY),
    Runtime(
        "node",
        ["/usr/bin/node", "/programs/moments.js"],
        C_ONLY,
        {"memory-full": ABORT, "pipe": 0},
        {"memory-full": ["--max-old-space-size=32"], "memory-churn": ["--expose-gc"]},
    ),
    Runtime(
        "java",
        ["/usr/bin/java", "-cp", "/programs", "Moments"],
        (*C_ONLY, "abort", "pipe"),
        {"fault": ABORT},
        {"memory-full": ["-Xmx32m"], "memory-churn": ["-Xmx64m"]},
    ),
]
VERSIONS = {
    "glibc": "ldd --version | sed -n '1s/.* //p'",
    "musl": "sed -n 's/^Version: \\([0-9.]*\\).*/\\1/p' /programs/musl",
    "go": "sed -n 's/^go version go\\([0-9.]*\\).*/\\1/p' /programs/go",
    "python": "python3 -c 'import platform; print(platform.python_version())'",
    "node": "node --version | tr -d v",
    "java": "java -version 2>&1 | sed -n '1s/.*\"\\(.*\\)\".*/\\1/p'",
}
