// SPDX-License-Identifier: Apache-2.0
// An event in the words of each receiver: pure functions of values, fuzzed. Whatever the texts of
// a container are, the result is one well-formed document or line: JSON is ASCII without a line
// break, a syslog message is printable ASCII. In JSON of our own, OCSF and OTLP, a text of the
// container is the text itself; where people read it next, in a terminal or a chat (Falco, syslog,
// Alertmanager), it goes through escape().
#pragma once

#include <span>
#include <string>

#include "enforcer/sinks/event.h"

namespace ward::enforcer::sinks {

// docs/reference/event.schema.json
std::string event_json(const Event& event);

// As falcosidekick and what stands behind it read it.
std::string falco_json(const Event& event);

// A Detection Finding, class 2004 of OCSF 1.3.
std::string ocsf_json(const Event& event);

// The body of POST /api/v2/alerts. Labels have only what stays the same over events of one cause,
// for Alertmanager groups and repeats by them.
std::string alertmanager_json(std::span<const Event> events);

// The body of POST /v1/logs, in OTLP's JSON.
std::string otlp_json(std::span<const Event> events);

// 0 (emergency) to 7 (debug), as RFC 5424 and journald count.
int syslog_severity(Severity severity);

// RFC 5424, without framing and without a byte order mark. `cef`: the message is CEF instead of the
// summary.
std::string syslog_message(const Event& event, bool cef);

// ArcSight's Common Event Format, version 0.
std::string cef_text(const Event& event);

// "KEY=value" each, as journald's native protocol has it.
std::vector<std::string> journald_fields(const Event& event);

}  // namespace ward::enforcer::sinks
