# SPDX-License-Identifier: Apache-2.0
"""dnsmasq: learned with questions by UDP; b asks by TCP, for other records, of other servers, and
reloads."""
import socket
import struct
import time

from life import Program

CONFIG = """\
no-resolv
no-hosts
addn-hosts=/etc/more-hosts
address=/fixed.test/10.1.2.3
mx-host=mail.test,one.test,10
txt-record=text.test,"some words"
srv-host=_web._tcp.test,one.test,80
cname=other.test,one.test
server=/outside.test/127.0.0.1#5300
server=/nobody.test/127.0.0.1#5399
log-facility=/var/log/dnsmasq.log
log-queries
cache-size=1000
user=dnsmasq
"""
TYPES = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}


def question(name, kind="A"):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return (
        struct.pack(">HHHHHH", 4711, 0x100, 1, 0, 0, 0)
        + labels
        + struct.pack(">BHH", 0, TYPES[kind], 1)
    )


def code_and_answers(message):
    return message[3] & 15, struct.unpack(">H", message[6:8])[0]


def asker(life):
    def ask(what, name, kind="A", code=0, answers=1):
        life.step(
            what,
            lambda: code_and_answers(life.datagram(question(name, kind))),
            lambda a: a[0] == code and a[1] >= answers,
        )

    return ask


def learned(life):
    ask = asker(life)
    for number in range(20):
        ask("a fixed name", f"n{number}.fixed.test")
    ask("a host", "one.test")
    ask("another", "two.test")
    ask("nobody's name", "nowhere.invalid", code=5, answers=0)
    time.sleep(0.3)
    return life.end("TERM")


def unlearned(life):
    ask = asker(life)
    ask("the other way round", "7.0.0.10.in-addr.arpa", "PTR")
    ask("mail", "mail.test", "MX")
    ask("text", "text.test", "TXT")
    ask("a service", "_web._tcp.test", "SRV")
    ask("another name", "other.test", answers=2)
    ask("of six", "one.test", "AAAA", code=5, answers=0)

    def by_tcp():
        asked = question("one.test")
        with life.tcp() as line:
            line.connection.sendall(struct.pack(">H", len(asked)) + asked)
            return code_and_answers(line.connection.recv(4096)[2:])

    life.step("by TCP", by_tcp, lambda a: a == (0, 1))

    def outside(asked):
        end = asked.index(b"\0", 12) + 5
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([192, 0, 2, 1])
        return asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + asked[12:end] + record

    life.datagram_backend(5300, outside)
    ask("a server outside", "www.outside.test")
    ask("and out of its memory", "www.outside.test")
    life.step(
        "a server that is not there",
        lambda: life.socket(socket.SOCK_DGRAM).sendto(question("x.nobody.test"), ("127.0.0.1", 53)),
    )
    life.write("/etc/more-hosts", "10.0.0.7 one.test\n10.0.0.9 three.test\n")
    life.signal("HUP")
    time.sleep(0.3)
    ask("a new host", "three.test")
    life.signal("USR1")
    life.signal("USR2")
    time.sleep(0.3)
    life.many(
        "forty at once", 40, lambda: code_and_answers(life.datagram(question("one.test"))) == (0, 1)
    )
    return life.end("TERM")


PROGRAM = Program(
    "dnsmasq",
    "DNS server",
    ["/usr/sbin/dnsmasq", "-k", "-C", "/etc/dnsmasq-evaluate.conf"],
    learned,
    unlearned,
    port=53,
    udp=True,
    packages=["dnsmasq-base"],
    files={
        "/etc/dnsmasq-evaluate.conf": CONFIG,
        "/etc/more-hosts": "10.0.0.7 one.test\n10.0.0.8 two.test\n",
    },
    setup=[
        "touch /var/log/dnsmasq.log && chown dnsmasq /var/log/dnsmasq.log",
        "test -d /run/dnsmasq || install -d -o dnsmasq /run/dnsmasq",
    ],
)
