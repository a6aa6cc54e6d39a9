# SPDX-License-Identifier: Apache-2.0
"""A network with name servers of each kind: one answers, one never does, and one port is closed.
Every measured container is in it; nothing leaves the machine."""
import ctypes
import os
import socket
import subprocess
import threading

from private_node import Broken

CLONE_NEWNET = 0x40000000
ANSWERS, SILENT, CLOSED = "127.0.0.1", "127.0.0.2", "127.0.0.3"
SERVERS = {"names-answered": ANSWERS, "names-silent": SILENT}  # of every other moment: CLOSED


def answer(question):
    """127.0.0.1 for an address of IPv4, nothing for anything else; only `.test` exists."""
    end = 12
    while question[end]:
        end += question[end] + 1
    end += 5
    known = question[12:end].find(b"\x04test\x00") >= 0
    wants_address = question[end - 4 : end - 2] == b"\x00\x01"
    found = known and wants_address
    head = question[:2] + (b"\x81\x80" if known else b"\x81\x83")
    head += b"\x00\x01" + (b"\x00\x01" if found else b"\x00\x00") + b"\x00\x00" * 2
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01"
    return head + question[12:end] + (record if found else b"")


class Names:
    """The network as a file that containers join, and what is asked of it served by threads."""

    def __init__(self, directory):
        self.network = os.path.join(directory, "network")
        self.sockets = []
        with open(self.network, "wb"):
            pass
        subprocess.run(
            ["unshare", "--net=" + self.network, "ip", "link", "set", "lo", "up"], check=True
        )
        self.files = {}
        for address in (ANSWERS, SILENT, CLOSED):
            self.files[address] = os.path.join(directory, "resolv-" + address)
            with open(self.files[address], "w", encoding="ascii") as file:
                file.write(f"nameserver {address}\noptions timeout:1 attempts:2\n")
            os.chmod(self.files[address], 0o644)
        threading.Thread(target=self._serve, args=(self._socket(ANSWERS),), daemon=True).start()
        self._socket(SILENT)

    def _socket(self, address):
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as own, open(self.network, "rb") as other:
            if libc.setns(other.fileno(), CLONE_NEWNET) != 0:
                raise Broken("cannot enter the network of names")
            try:
                made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                made.bind((address, 53))
            finally:
                libc.setns(own.fileno(), CLONE_NEWNET)
        self.sockets.append(made)
        return made

    @staticmethod
    def _serve(server):
        while True:
            try:
                question, sender = server.recvfrom(1 << 16)
                server.sendto(answer(question), sender)
            except OSError:
                return

    def resolver_of(self, moment):
        return self.files[SERVERS.get(moment, CLOSED)]

    def clear(self):
        for made in self.sockets:
            made.close()
        subprocess.run(["umount", "-l", self.network], check=False, stderr=subprocess.DEVNULL)
