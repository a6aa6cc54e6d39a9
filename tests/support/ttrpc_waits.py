# SPDX-License-Identifier: Apache-2.0
"""Many Wait calls of one ttrpc connection to a shim, all open at once: what no client of containerd
does by itself."""
import socket
import struct

REQUEST, RESPONSE = 1, 2


def field(number, data):
    """A length-delimited protobuf field."""
    length, encoded = len(data), b""
    while length >= 0x80:
        encoded += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + encoded + bytes([length]) + data


class Waits:
    """Sends `count` Wait requests for `container` to the shim at `path` and holds them open."""

    def __init__(self, path, container, count):
        self.count = count
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        request = (
            field(1, b"containerd.task.v2.Task")
            + field(2, b"Wait")
            + field(3, field(1, container.encode()))
        )
        for number in range(count):
            self.socket.sendall(
                struct.pack(">IIBB", len(request), 2 * number + 1, REQUEST, 0) + request
            )

    def answers(self):
        """How many were answered, when all are or the shim hung up."""
        answered, data = 0, b""
        while answered < self.count and (part := self.socket.recv(1 << 16)):
            data += part
            while len(data) >= 10 and len(data) >= 10 + (
                length := struct.unpack(">I", data[:4])[0]
            ):
                answered += data[8] == RESPONSE
                data = data[10 + length :]
        self.socket.close()
        return answered
