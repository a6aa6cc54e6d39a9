# SPDX-License-Identifier: Apache-2.0
"""PHP with a service of ours and three workers: learned with notes; b has sessions and uploads,
starts programs, walks directories and connects."""

from life import Program, app
from steps import note, take_notes


def learned(life):
    take_notes(life)
    return life.end("KILL")


def unlearned(life):
    for number in range(30):
        life.get("a note", "/notes", 201, **note(f"note {30 - number} " * 20))
    life.step("a session", lambda: life.http("/session"), lambda a: b"1" in a.body)
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    life.step(
        "an upload",
        lambda: life.http(
            "/upload",
            "POST",
            part + b"0123456789" * 100000 + b"\r\n--x--\r\n",
            {"Content-Type": "multipart/form-data; boundary=x"},
        ),
        lambda a: b"size" in a.body,
    )
    life.step("sorted by a program", lambda: life.http("/sorted"), lambda a: a.body == b"a\nb\n")
    life.step("no mail", lambda: life.http("/mail"), lambda a: b"false" in a.body)
    life.step("no such name", lambda: life.http("/where"), lambda a: a.body == b"nowhere.invalid")
    life.step("nobody there", lambda: life.http("/fetch"), lambda a: b"refused" in a.body)
    life.get("a mistake", "/mistake", 500)
    life.step("a walk", lambda: life.http("/walk"), lambda a: b"files" in a.body)
    life.step(
        "a lock", lambda: life.http("/lock"), lambda a: a.body == b'{"locked":true,"temp":true}'
    )
    life.get("a file", "/static.txt")
    life.many("twelve at once", 12, lambda: life.http("/all").status == 200)
    return life.end("KILL")


PROGRAM = Program(
    "php",
    "managed runtime, several processes",
    ["/usr/bin/php", "-S", "0.0.0.0:8080", "-t", "/srv", "/srv/router.php"],
    learned,
    unlearned,
    port=8080,
    packages=["php-cli", "php-sqlite3"],
    environment={"PHP_CLI_SERVER_WORKERS": "3"},
    files={
        "/srv/notes.php": app("notes.php"),
        "/srv/router.php": "<?php if (str_ends_with($_SERVER['REQUEST_URI'], '.txt')) "
        "{ return false; } require '/srv/notes.php';\n",
        "/srv/static.txt": "static\n",
    },
    setup=["mkdir /var/lib/notes"],
)
