# SPDX-License-Identifier: Apache-2.0
"""Moments of a life as the Python interpreter lives them."""
import atexit
import ctypes
import datetime
import faulthandler
import gc
import locale
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zoneinfo


def leave():
    atexit.register(print, "last words")
    print("not flushed yet", end=" ")
    sys.exit(3)


def exit_in_thread():
    threading.Thread(target=os._exit, args=(4,)).start()
    threading.Event().wait()


def write_to_nobody():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        os.write(writer, b"x")
    except BrokenPipeError:
        return
    sys.exit(1)


def pipe():
    """As the default action of SIGPIPE, which the interpreter ignores otherwise."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    write_to_nobody()


def handled():
    seen = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM):
        signal.signal(number, lambda n, frame: seen.append(n))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.raise_signal(number)
    os.kill(os.getpid(), signal.SIGINT)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    signal.pause()
    write_to_nobody()
    sys.exit(0 if len(seen) == 5 else 1)


def fault():
    faulthandler.enable()
    ctypes.string_at(0)


def overflow():
    def deep():
        return deep() + 1

    try:
        deep()
    except RecursionError:
        return
    sys.exit(1)


def memory_full():
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
    kept = []
    try:
        while True:
            kept.append(bytearray(1 << 20))
    except MemoryError:
        kept.clear()


def memory_churn():
    def churn():
        kept = {}
        for number in range(20000):
            kept[number % 500] = [number] * (number % 1000)

    workers = [threading.Thread(target=churn) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    gc.collect()


def find(host, wanted):
    try:
        socket.getaddrinfo(host, 80)
    except OSError as error:
        if wanted:
            sys.exit(f"{host}: {error}")
        return
    if not wanted:
        sys.exit(f"{host} is found")


def time_zones():
    print(datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Berlin")))
    os.environ["TZ"] = "Nowhere/None"
    time.tzset()
    print(time.localtime(), time.strftime("%c %Z"), time.process_time(), time.thread_time())
    time.sleep(0.001)


def threads():
    changed, ready = threading.Condition(), []

    def wait():
        with changed:
            changed.wait_for(lambda: ready, 5)

    workers = [threading.Thread(target=wait) for _ in range(8)]
    for worker in workers:
        worker.start()
    timer = threading.Timer(0.01, lambda: None)
    timer.start()
    with changed:
        changed.wait(0.01)
        ready.append(True)
        changed.notify_all()
    for worker in (*workers, timer):
        worker.join()


def stdio():
    with open("/etc/hosts", encoding="ascii") as file:
        list(file)
    with tempfile.TemporaryFile("w+") as file:
        file.write("line\n" * 5000)
        file.seek(10)
        file.read()
    print("to standard output", random.random(), os.urandom(4), hash("text"))
    print("to standard error", file=sys.stderr)
    os.path.exists("/nowhere/nothing")


def locales():
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    print(locale.getpreferredencoding(), "grüß".encode("utf-16"))


def uncaught():
    raise ValueError("not caught")


def spawn():
    print(subprocess.run(["/bin/sh", "-c", "echo spawned"], stdout=subprocess.PIPE, check=True))
    os.system("true")
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


MOMENTS = {
    "start": lambda: None,
    "exit": leave,
    "exit-in-thread": exit_in_thread,
    "abort": os.abort,
    "uncaught": uncaught,
    "term": lambda: signal.raise_signal(signal.SIGTERM),
    "hup": lambda: signal.raise_signal(signal.SIGHUP),
    "pipe": pipe,
    "handled": handled,
    "fault": fault,
    "overflow": overflow,
    "memory-full": memory_full,
    "memory-churn": memory_churn,
    "names-file": lambda: find("localhost", True),
    "names-answered": lambda: find("answered.test", True),
    "names-refused": lambda: find("refused.test", False),
    "names-silent": lambda: find("silent.test", False),
    "time": time_zones,
    "threads": threads,
    "stdio": stdio,
    "locale": locales,
    "spawn": spawn,
}
MOMENTS[sys.argv[1]]()
