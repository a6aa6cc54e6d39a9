# SPDX-License-Identifier: Apache-2.0
"""A small service: notes in SQLite, uploads, reports by a program, logs that rotate."""
import concurrent.futures
import gzip
import http.server
import json
import logging
import logging.handlers
import signal
import socket
import sqlite3
import subprocess
import tempfile

STORE = "/var/lib/notes/notes.db"
log = logging.getLogger("notes")
rotating = logging.handlers.RotatingFileHandler("/var/lib/notes/log", maxBytes=2000, backupCount=2)
log.addHandler(rotating)
log.setLevel(logging.INFO)


def query(text, *values):
    with sqlite3.connect(STORE) as store:
        return store.execute(text, values).fetchall()


query("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)")


def words(text):
    return len(text.split())


class Notes(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        log.info(*arguments)

    def do_GET(self):
        if self.path == "/":
            self.answer({"notes": len(query("SELECT id FROM notes"))})
        elif self.path == "/all":
            self.answer([text for (text,) in query("SELECT text FROM notes")])
        elif self.path == "/sorted":
            texts = "\n".join(text for (text,) in query("SELECT text FROM notes"))
            done = subprocess.run(["sort"], input=texts.encode(), capture_output=True, check=True)
            self.answer(done.stdout)
        elif self.path == "/words":
            texts = [text for (text,) in query("SELECT text FROM notes")]
            with concurrent.futures.ProcessPoolExecutor(2) as pool:
                self.answer(sum(pool.map(words, texts)))
        elif self.path.startswith("/where/"):
            try:
                self.answer(socket.getaddrinfo(self.path[7:], 80)[0][4][0])
            except socket.gaierror as error:
                self.answer(str(error), 502)
        else:
            self.answer("no such page", 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/notes":
            query("INSERT INTO notes (text) VALUES (?)", json.loads(body)["text"])
            self.answer("kept", 201)
        elif self.path == "/upload":
            with tempfile.NamedTemporaryFile(dir="/var/lib/notes") as kept:
                kept.write(gzip.compress(body))
                kept.flush()
                self.answer(kept.tell())
        else:
            self.answer("no such page", 404)

    def do_DELETE(self):
        query("DELETE FROM notes")
        with sqlite3.connect(STORE, isolation_level=None) as store:
            store.execute("VACUUM")
        self.answer("gone")


def stop(*_):
    raise SystemExit(0)


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGHUP, lambda *_: rotating.doRollover())
http.server.ThreadingHTTPServer(("", 8080), Notes).serve_forever()
