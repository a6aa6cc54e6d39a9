# SPDX-License-Identifier: Apache-2.0
"""Exim: learned with mail to a local user; b rejects, delivers to many, forwards, runs its queue
and retries what cannot be sent."""
import time

from life import Program

CONFIG = """\
primary_hostname = mail.test
daemon_smtp_ports = 2525
local_interfaces = 0.0.0.0
domainlist local_domains = mail.test
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
message_size_limit = 3M
never_users = root
begin acl
check_rcpt:
  deny local_parts = spam
  accept domains = +local_domains
         endpass
         verify = recipient
  accept hosts = 127.0.0.1
check_data:
  accept
begin routers
outside:
  driver = manualroute
  domains = ! +local_domains
  route_data = 127.0.0.1
  self = send
  transport = smtp_out
aliases:
  driver = redirect
  allow_fail
  allow_defer
  data = ${lookup{$local_part}lsearch{/etc/aliases}}
  file_transport = file_out
  pipe_transport = pipe_out
local:
  driver = accept
  check_local_user
  transport = mailbox
begin transports
smtp_out:
  driver = smtp
  port = 2626
mailbox:
  driver = appendfile
  file = /var/mail/$local_part_data
  group = mail
  mode = 0660
file_out:
  driver = appendfile
  user = mail
  group = mail
pipe_out:
  driver = pipe
  return_output
begin retry
* * F,2h,1m
"""


def mail(life, to, body="text", code=b"250"):
    """One message by SMTP; the code is that of the last answer."""
    with life.tcp() as line:
        line.until(rb"220 .*\n")
        line.ask("EHLO client.test\r\n", rb"250 .*\n")
        line.ask("MAIL FROM:<one@mail.test>\r\n")
        said = b""
        for name in to if isinstance(to, list) else [to]:
            said = line.ask(f"RCPT TO:<{name}>\r\n", rb"\d+ .*\n")
        if not said.startswith(b"250"):
            return said
        line.ask("DATA\r\n", rb"354.*\n")
        said = line.ask(f"Subject: word\r\n\r\n{body}\r\n.\r\n", rb"\d+ .*\n")
        line.ask("QUIT\r\n", rb"221.*\n")
        return said


def delivered(life, path, words, seconds=3):
    deadline = time.monotonic() + seconds
    while words not in life.read(path) and time.monotonic() < deadline:
        time.sleep(0.05)
    return words in life.read(path)


def learned(life):
    for number in range(3):
        life.step(
            "mail",
            lambda: mail(life, "one@mail.test", f"number {number}"),
            lambda a: a.startswith(b"250"),
        )
    life.step("delivered", lambda: delivered(life, "/var/mail/one", "number 2"))
    life.step("to nobody", lambda: mail(life, "nowhere@mail.test"), lambda a: a.startswith(b"550"))
    return life.end("TERM")


def unlearned(life):
    life.step(
        "to two",
        lambda: mail(life, ["one@mail.test", "two@mail.test"], "for two"),
        lambda a: a.startswith(b"250"),
    )
    life.step("delivered", lambda: delivered(life, "/var/mail/two", "for two"))
    life.step(
        "by an alias to a file",
        lambda: mail(life, "archive@mail.test", "archived"),
        lambda a: a.startswith(b"250"),
    )
    life.step("archived", lambda: delivered(life, "/var/mail/archive", "archived"))
    life.step(
        "large",
        lambda: mail(life, "one@mail.test", "x" * 990 + "\r\n" + ("y" * 900 + "\r\n") * 900),
        lambda a: a.startswith(b"250"),
    )
    life.step(
        "too large",
        lambda: mail(life, "one@mail.test", ("y" * 900 + "\r\n") * 4000),
        lambda a: a.startswith(b"552"),
    )
    life.step("not wanted", lambda: mail(life, "spam@mail.test"), lambda a: a.startswith(b"550"))
    life.step(
        "to a server that is not there",
        lambda: mail(life, "x@outside.test"),
        lambda a: a.startswith(b"250"),
    )
    life.step("no such command", lambda: life.ask("NOWHERE\r\n", rb"500.*\n"))
    life.step(
        "by a program",
        lambda: mail(life, "piped@mail.test", "piped"),
        lambda a: a.startswith(b"250"),
    )
    life.step("piped", lambda: delivered(life, "/tmp/piped", "piped"))
    life.signal("HUP")
    time.sleep(0.5)
    life.step(
        "after the restart",
        lambda: mail(life, "one@mail.test", "restarted"),
        lambda a: a.startswith(b"250"),
    )
    life.step("delivered too", lambda: delivered(life, "/var/mail/one", "restarted"))
    return life.end("TERM")


PROGRAM = Program(
    "exim4",
    "mail server, a process for each message",
    ["/usr/sbin/exim4", "-bdf", "-q1s"],
    learned,
    unlearned,
    port=2525,
    packages=["exim4-daemon-light"],
    files={
        "/etc/exim4/exim4.conf": CONFIG,
        "/etc/aliases": "archive: /var/mail/archive\npiped: |/usr/local/bin/keep\n",
        "/usr/local/bin/keep": "#!/bin/sh\ncat >/tmp/piped\n",
    },
    setup=["useradd -m one && useradd -m two"],
)
