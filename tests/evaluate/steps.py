# SPDX-License-Identifier: Apache-2.0
"""Steps that exercises of several programs share: of services that keep notes, and of web
servers."""
import json


def note(text):
    return {"method": "POST", "body": json.dumps({"text": text})}


def take_notes(life):
    """What is learned of a service that keeps notes."""
    life.get("the first page", "/")
    for number in range(5):
        life.get("a note", "/notes", 201, **note(f"note {number}"))
    life.get("all of them", "/all")
    life.get("no such page", "/nowhere", 404)
    life.many("four at once", 4, lambda: life.http("/all").status == 200)


def read_pages(life):
    """What is learned of a web server."""
    life.get("a page", "/")
    life.get("a large page", "/large.txt")
    life.get("no such page", "/nowhere", 404)
    life.get("a head", "/", method="HEAD")
    life.many("eight at once", 8, lambda: life.http("/large.txt").status == 200)


def ask_for_parts(life):
    life.step(
        "a range",
        lambda: life.http("/large.txt", headers={"Range": "bytes=10-19"}),
        lambda a: a.status == 206 and len(a.body) == 10,
    )
    life.step(
        "compressed",
        lambda: life.http("/index.html", headers={"Accept-Encoding": "gzip"}),
        lambda a: a.headers.get("Content-Encoding") == "gzip",
    )
