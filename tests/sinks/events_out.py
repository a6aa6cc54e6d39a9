#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wardd sends its events to real receivers (receivers.py): through an outage of each and a kill -9
of wardd all arrive, in order, and duplicates are told by their id; receivers that are dead, slow or
lie hold up nobody else; hostile texts arrive as they were. `events_out.py --build BUILD [CASE...]`;
exit status 77: something of Debian's is missing."""
import argparse
import hashlib
import hmac
import json
import os
import shutil
import signal
import sys
import tempfile
import time

import receivers
from receivers import Failed, wait_for

HOSTILE = 'a"]\\|=\n\x1b[31m</script>{{.}}\u202e\u00e9%s'
SCHEMA = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "../../docs/reference", "event.schema.json"
)


def header_id(taken):
    return taken[0]["Ward-Event-Id"]


def json_id(*path):
    def identifier(taken):
        value = json.loads(taken[1])
        for step in path:
            value = value[step]
        return value

    return identifier


class Case:
    """One wardd, and what it sends to."""

    def __init__(self, build):
        self.folder = tempfile.mkdtemp(prefix="ward-sinks-")
        os.chmod(self.folder, 0o755)
        self.wardd = receivers.Wardd(build, self.folder)
        self.certificates = receivers.Certificates(self.folder)
        self.ends = []
        self.spools = 0

    def http(self, tls=False):
        receiver = receivers.HttpReceiver(self.certificates if tls else None)
        self.ends.append(receiver.end)
        return receiver

    def tls(self):
        certificate, key = self.certificates.client
        return {"caFile": self.certificates.ca, "certificateFile": certificate, "keyFile": key}

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(path, 0o600)
        return path

    def begin(self, sinks):
        self.wardd.settings(sinks)
        self.wardd.begin()
        self.wardd.places([sink["name"] for sink in sinks])

    def events(self, count, containers=5, **more):
        """That many violations; their ids, in the order in which the journal has them."""
        self.spools += 1
        shim = f"shim{self.spools}x"
        identifiers = [f"{shim}-{number}" for number in range(count)]
        receivers.leave_spool(
            self.wardd.state,
            f"{shim}.spool",
            [
                receivers.violation(identifier, f"c{number % containers}", **more)
                for number, identifier in enumerate(identifiers)
            ],
        )
        return identifiers

    def close(self):
        if self.wardd.child:
            self.wardd.end(signal.SIGKILL)
        for end in self.ends:
            end()
        shutil.rmtree(self.folder)


def expect(holds, what):
    if not holds:
        raise Failed(what)


def expect_in_order(got, sent):
    """Each for the first time in its order; a repetition goes back no further than a batch."""
    firsts = list(dict.fromkeys(name for name in got if name in set(sent)))
    expect(firsts == sent, f"another order: {firsts[:5]} is not {sent[:5]}")


def webhook_over_https_with_a_signature_and_a_client_certificate(case):
    receiver = case.http(tls=True)
    key = case.secret("hmac", "a key of sixteen bytes and more")
    token = case.secret("token", "t0ken")
    case.begin(
        [
            {
                "name": "hook",
                "type": "webhook",
                "url": receiver.url,
                "tls": case.tls(),
                "hmacKeyFile": key,
                "tokenFile": token,
            }
        ]
    )
    sent = case.events(20, comm=HOSTILE)
    expect_in_order(receiver.await_events(sent, header_id), sent)
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    import jsonschema  # Debian's python3-jsonschema

    for head, body in receiver.taken:
        said = dict(part.split("=", 1) for part in head["Ward-Signature"].split(","))
        wanted = hmac.new(
            b"a key of sixteen bytes and more", f"{said['t']}.".encode() + body, hashlib.sha256
        ).hexdigest()
        expect(said["v1"] == wanted and abs(time.time() - int(said["t"])) < 600, "the signature")
        expect(head["Authorization"] == "Bearer t0ken", "the token")
        event = json.loads(body)
        jsonschema.validate(event, schema)
        if event["id"] in sent:
            expect(event["comm"] == HOSTILE, "the text of the container as it was")
            expect(event["image_digest"] == "sha256:" + "0f" * 32, "the digest of the image")
            expect(
                {"attack T1611", "sp800-190 4.4.4"}
                <= {f"{r['framework']} {r['id']}" for r in event["references"]},
                "references",
            )
    # A key that others may read is not used, and nothing is lost meanwhile.
    os.chmod(key, 0o644)
    more = case.events(3)
    wait_for(lambda: "is open to others: chmod 600" in case.wardd.status(), "a problem in status")
    os.chmod(key, 0o600)
    receiver.await_events(more, header_id)


def a_server_that_is_not_who_it_says_gets_nothing(case):
    receiver = case.http(tls=True)
    case.begin([{"name": "hook", "type": "webhook", "url": receiver.url}])  # without our CA
    case.events(3)
    wait_for(lambda: "certificate" in case.wardd.status(), "a problem in status")
    expect(receiver.asked == 0, "it was asked")


def each_http_format_through_an_outage_and_a_kill(case):
    http = {kind: case.http() for kind in ("webhook", "falco", "ocsf", "otlp")}
    ids = {
        "webhook": json_id("id"),
        "falco": json_id("output_fields", "ward.id"),
        "ocsf": json_id("metadata", "uid"),
    }
    sinks = [{"name": kind, "type": kind, "url": http[kind].url} for kind in http]
    case.begin(sinks)
    sent = case.events(40)
    for kind, identifier in ids.items():
        http[kind].await_events(sent, identifier)
    for receiver in http.values():
        receiver.end()
    sent += case.events(100)
    wait_for(lambda: case.wardd.status().count("events wait") == len(http), "four problems")
    case.wardd.end(signal.SIGKILL)
    for receiver in http.values():
        receiver.begin()
    case.wardd.begin()
    http["webhook"].await_events(sent[:60], ids["webhook"])
    case.wardd.end(signal.SIGKILL)  # in the middle of what waited
    case.wardd.begin()
    sent += case.events(40)
    for kind, identifier in ids.items():
        got = http[kind].await_events(sent, identifier)
        expect_in_order(got, sent)
        print(f"    {kind}: {len(sent)} events, {len(got) - len(set(got))} twice")

    def otlp_ids():
        records = [
            record
            for _, body in http["otlp"].taken
            for record in json.loads(body)["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        ]
        return [
            attribute["value"]["stringValue"]
            for record in records
            for attribute in record["attributes"]
            if attribute["key"] == "ward.id"
        ]

    wait_for(lambda: set(sent) <= set(otlp_ids()), "otlp has all")
    expect_in_order(otlp_ids(), sent)
    places = case.wardd.places(http)
    expect(
        all(place["dropped"] == place["refused"] == 0 for place in places.values()),
        f"none is dropped: {places}",
    )


def who_is_dead_slow_or_lies_holds_up_nobody_else(case):
    lies = {how: case.http() for how in ("500", "redirect", "big", "half", "slow")}
    for how, receiver in lies.items():
        receiver.answer = how
    log = os.path.join(case.folder, "events.jsonl")
    # Far longer than a busy machine takes for what must not wait for it.
    sinks = [
        {"name": f"lie-{how}", "type": "webhook", "url": receiver.url, "timeout": "1m"}
        for how, receiver in lies.items()
    ]
    sinks.append(
        {"name": "dead", "type": "falco", "url": f"http://127.0.0.1:{receivers.free_port()}"}
    )
    sinks.append({"name": "log", "type": "file", "path": log})
    case.begin(sinks)
    sent = case.events(50)

    def lines():
        with open(log, encoding="ascii") as file:
            return [json.loads(line)["id"] for line in file if line.endswith("\n")]

    began = time.monotonic()
    wait_for(lambda: os.path.exists(log) and set(sent) <= set(lines()), "the file has all", 30)
    print(f"    the file had all after {time.monotonic() - began:.2f} s")
    expect_in_order(lines(), sent)
    wait_for(lambda: all(receiver.asked > 0 for receiver in lies.values()), "all were asked")
    began = time.monotonic()
    status = case.wardd.status()
    expect(time.monotonic() - began < 30, "status waits for a receiver")
    wait_for(
        lambda: all(
            f"sink {name}: " in case.wardd.status()
            for name in ("lie-500", "lie-redirect", "lie-half", "dead")
        ),
        f"problems: {status}",
    )
    expect(case.wardd.end() < 30, "wardd's end waits for a receiver")
    for receiver in lies.values():
        receiver.let_go.set()
        receiver.answer = "good"
    case.wardd.begin()
    for how, receiver in lies.items():
        # What is too long to be read was taken: the status said so.
        receiver.await_events(sent if how != "big" else [], header_id)


def what_is_refused_for_good_is_counted_and_what_is_behind_it_goes_on(case):
    receiver = case.http()
    receiver.answer = "400"
    case.begin([{"name": "hook", "type": "webhook", "url": receiver.url}])
    sent = case.events(1)
    receiver.await_asked(5)
    receiver.answer = "good"
    sent += case.events(2)
    receiver.await_events(sent[1:], header_id)
    place = wait_for(
        lambda: (p := case.wardd.places(["hook"])["hook"])["refused"] == 1 and p, "one is counted"
    )
    expect(place["dropped"] == 0, str(place))


def an_event_that_a_receiver_chokes_on_blocks_nothing(case):
    receiver = case.http()
    receiver.chokes_on = "shim1x-3"
    case.begin([{"name": "hook", "type": "webhook", "url": receiver.url}])
    sent = case.events(10)
    sent.remove(receiver.chokes_on)
    expect_in_order(receiver.await_events(sent, header_id), sent)
    place = wait_for(
        lambda: (p := case.wardd.places(["hook"])["hook"])["refused"] == 1 and p, "one is counted"
    )
    expect(place["dropped"] == 0, str(place))


def filters_choose(case):
    receiver = case.http()
    case.begin(
        [
            {
                "name": "hook",
                "type": "webhook",
                "url": receiver.url,
                "filter": {"severity": "high", "kinds": ["violation"], "namespaces": ["pay"]},
            }
        ]
    )
    case.events(40)
    sent = case.events(2, namespace="pay")
    got = receiver.await_events(sent, header_id)
    expect(got == sent, str(got))


def syslog_by_rsyslog(case):
    program, ports, out = receivers.rsyslog(case.folder, case.certificates)
    case.ends.append(program.end)
    program.begin()
    sinks = [
        {"name": kind, "type": "syslog", "url": f"{kind}://localhost:{ports[kind]}"}
        for kind in ("tcp", "tls", "udp")
    ]
    sinks[1]["tls"] = {"caFile": case.certificates.ca}
    case.begin(sinks)

    def got(kind):
        with open(out, encoding="utf-8") as file:
            return [line.split(" ")[1] for line in file if line.startswith(kind + " ")]

    sent = case.events(30, comm=HOSTILE)
    wait_for(
        lambda: os.path.exists(out) and all(set(sent) <= set(got(k)) for k in ports),
        "all of the first",
        30,
    )
    program.end()
    away = case.events(60)
    wait_for(lambda: case.wardd.status().count("events wait") >= 2, "problems of tcp and tls")
    case.wardd.end(signal.SIGKILL)
    case.wardd.begin()
    program.begin()
    sent += away + case.events(10)
    for kind in ("tcp", "tls"):
        wait_for(lambda k=kind: set(sent) <= set(got(k)), f"all by {kind}")
        expect_in_order(got(kind), sent)
    with open(out, encoding="ascii") as file:  # nothing of the container but printable ASCII
        text = file.read()
    expect(r"|=\x0a\x1b[31m" in text, "hostile text is escaped")
    expect("\x1b" not in text, "no escape sequence")


def alerts_by_alertmanager(case):
    program, port, alerts = receivers.alertmanager(case.folder)
    case.ends.append(program.end)
    program.begin()
    case.begin([{"name": "am", "type": "alertmanager", "url": f"http://127.0.0.1:{port}"}])

    def pods():
        return {alert["labels"].get("pod") for alert in alerts()}

    case.events(20, comm=HOSTILE)
    wait_for(lambda: {f"pod-c{n}" for n in range(5)} <= pods(), "five alerts")
    program.end(signal.SIGKILL)
    case.events(40, containers=12)
    wait_for(lambda: "events wait" in case.wardd.status(), "a problem in status")
    case.wardd.end(signal.SIGKILL)
    program.begin()
    case.wardd.begin()
    wait_for(lambda: {f"pod-c{n}" for n in range(12)} <= pods(), "twelve alerts")
    wait_for(lambda: case.wardd.places(["am"])["am"]["sent"] >= 60, "all are taken")
    expect(case.wardd.places(["am"])["am"]["refused"] == 0, "none is refused")


def a_file_that_is_rotated(case):
    log = os.path.join(case.folder, "events.jsonl")
    case.begin([{"name": "log", "type": "file", "path": log, "maxBytes": 65536, "keep": 20}])
    sent = case.events(200)

    def lines():
        names = [f"{log}.{n}" for n in range(20, 0, -1)] + [log]
        out = []
        for name in names:
            if os.path.exists(name):
                expect(os.path.getsize(name) <= 65536, "a file is longer than it may be")
                with open(name, encoding="ascii") as file:
                    out += [json.loads(line)["id"] for line in file]
        return out

    wait_for(lambda: case.wardd.places(["log"])["log"]["sent"] >= 200, "all are written")
    case.wardd.end(signal.SIGKILL)
    with open(log, "a", encoding="ascii") as file:
        file.write('{"schema":"ward.dev/event/v1","id":"half of a li')
    case.wardd.begin()
    sent += case.events(10)
    wait_for(lambda: case.wardd.places(["log"])["log"]["sent"] >= 210, "all are written")
    expect_in_order(lines(), sent)


def settings_change_while_it_runs(case):
    one, other = case.http(), case.http()
    case.begin([{"name": "hook", "type": "webhook", "url": one.url}])
    first = case.events(5)
    one.await_events(first, header_id)
    one.end()
    waiting = case.events(5)
    wait_for(lambda: "events wait" in case.wardd.status(), "a problem in status")
    case.wardd.settings([{"name": "hook", "type": "webhook", "url": other.url}])
    got = other.await_events(waiting, header_id)
    expect(not set(first) & set(got), "what the first had comes again")
    case.wardd.settings([{"name": "hook", "type": "webhok", "url": other.url}])
    status = wait_for(lambda: (s := case.wardd.status()).count("webhok") and s, "a problem")
    expect("did you mean 'webhook'" in status, status)
    other.await_events(case.events(2), header_id)  # what was in force stays


CASES = (
    webhook_over_https_with_a_signature_and_a_client_certificate,
    a_server_that_is_not_who_it_says_gets_nothing,
    each_http_format_through_an_outage_and_a_kill,
    who_is_dead_slow_or_lies_holds_up_nobody_else,
    what_is_refused_for_good_is_counted_and_what_is_behind_it_goes_on,
    an_event_that_a_receiver_chokes_on_blocks_nothing,
    filters_choose,
    syslog_by_rsyslog,
    alerts_by_alertmanager,
    a_file_that_is_rotated,
    settings_change_while_it_runs,
)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/asan")
    parser.add_argument("cases", nargs="*")
    asked = parser.parse_args()
    for program in ("rsyslogd", "prometheus-alertmanager", "openssl"):
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
            print(f"events out: skipped: there is no {program} (scripts/setup)")
            sys.exit(77)
    os.environ["PATH"] += ":/usr/sbin"
    failed = 0
    for test in CASES:
        if asked.cases and test.__name__ not in asked.cases:
            continue
        case = Case(asked.build)
        began = time.monotonic()
        try:
            test(case)
            print(f"ok {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Failed as why:
            failed += 1
            print(f"FAILED {test.__name__}: {why}", flush=True)
            for name in (case.wardd.log,):
                with open(name, encoding="utf-8", errors="replace") as log:
                    print("".join(log.readlines()[-30:]))
        finally:
            case.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
