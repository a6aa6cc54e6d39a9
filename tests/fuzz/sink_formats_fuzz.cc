// SPDX-License-Identifier: Apache-2.0
// Any bytes as the texts of an event: each JSON is one document and one ASCII line, a syslog
// message is printable ASCII and its structured data ends where it should, a CEF header has its
// seven bars, journald's fields have no line break, and none is longer than it may be.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "enforcer/sinks/formats.h"
#include "lib/base/utf8.h"
#include "lib/json/json.h"

namespace {

using ward::enforcer::sinks::Event;

constexpr std::size_t kMostBytes = 512U << 10U;

void expect(bool holds) {
  if (!holds) std::abort();
}

bool is_line(const std::string& text) {
  return text.size() < kMostBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

// The end of "[ward@32473 name="value" ...]", by the rules of RFC 5424, section 6.3.
std::size_t end_of_data(const std::string& line, std::size_t at) {
  bool quoted = false;
  for (; at < line.size(); ++at) {
    if (quoted && line[at] == '\\') {
      ++at;
    } else if (line[at] == '"') {
      quoted = !quoted;
    } else if (!quoted && line[at] == ']') {
      return at;
    }
  }
  return std::string::npos;
}

std::size_t bars(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size() && count < 7; ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '|') {
      ++count;
    }
  }
  return count;
}

void check(const Event& event) {
  using namespace ward::enforcer::sinks;
  for (const std::string& text : {event_json(event), falco_json(event), ocsf_json(event),
                                  alertmanager_json({{event, event}}), otlp_json({{event}})})
    expect(is_line(text) && nlohmann::json::accept(text));
  const std::string line = syslog_message(event, false);
  expect(is_line(line));
  // A host name has no space, whatever else is in it.
  const std::size_t end = end_of_data(line, line.find("[ward@32473", line.find(" wardd - ")));
  expect(end != std::string::npos && line.compare(end, 2, "] ") == 0 &&
         line.substr(end + 2) == summary(event));
  expect(is_line(syslog_message(event, true)) && bars(cef_text(event)) == 7);
  for (const std::string& field : journald_fields(event)) expect(is_line(field));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ward::enforcer;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::string text = ward::to_utf8(bytes);
  JournalRecord record{1, {EventKind::kViolation, {}}};
  auto& body = record.entry.body;
  for (auto* to :
       {body.mutable_event_id(), body.mutable_exec_id(), body.mutable_profile_name(),
        body.mutable_profile_digest(), body.mutable_syscall(), body.mutable_comm(),
        body.mutable_exe(), body.mutable_evidence(), body.mutable_outcome(), body.mutable_reason(),
        body.mutable_capability(), body.mutable_newer_program(), body.mutable_overlay()})
    *to = text;
  auto& identity = *body.mutable_identity();
  for (auto* to : {identity.mutable_containerd_namespace(), identity.mutable_container_id(),
                   identity.mutable_kubernetes_namespace(), identity.mutable_pod(),
                   identity.mutable_container_name(), identity.mutable_image()})
    *to = text;
  for (int i = 0; i < 8; ++i) body.add_args_text(text);
  check(sinks::make_event(record, {bytes, bytes, bytes}));
  // Bytes that are no UTF-8, as a damaged database might have them.
  sinks::Event event = sinks::make_event({}, {});
  for (std::string* to : {&event.comm, &event.exe, &event.reason, &event.container, &event.id,
                          &event.image, &event.kubernetes_namespace, &event.pod, &event.call})
    *to = bytes;
  event.args = {bytes};
  check(event);
  return 0;
}
