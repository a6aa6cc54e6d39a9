// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "enforcer/sinks/formats.h"
#include "lib/base/escape.h"
#include "lib/base/rfc3339.h"

namespace ward::enforcer::sinks {
namespace {

constexpr int kFacilityAuthPriv = 10;
// Receivers cut a message at 2 or 8 KiB. Bytes of one text before it is escaped, and of the
// summary.
constexpr std::size_t kMostOfOne = 256, kMostSummary = 1024;

int cef_severity(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return 2;
    case Severity::kLow: return 4;
    case Severity::kMedium: return 6;
    case Severity::kHigh: return 8;
    case Severity::kCritical: return 10;
  }
  return 6;
}

// Printable ASCII first, then what the format itself takes for its own, behind a backslash.
std::string guarded(const std::string& text, std::string_view special,
                    std::size_t most = kMostOfOne) {
  std::string out;
  for (const char c : escape(text, most)) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// A header field has no space in it, and "-" stands for none (section 6).
std::string header(const std::string& text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most)) out += c > ' ' && c < 0x7f ? c : '?';
  return out.empty() ? "-" : out;
}

// Microseconds: RFC 5424 has no more than six digits.
std::string timestamp(std::int64_t wall_ns) {
  const std::string all = format_rfc3339(wall_ns);
  const std::size_t dot = all.find('.');
  constexpr std::size_t kDigits = 6;
  return dot == std::string::npos ? all : all.substr(0, dot + 1 + kDigits) + "Z";
}

std::string techniques(const Event& event) {
  std::string out;
  for (const Reference& reference : event.references) {
    if (reference.framework == "attack")
      out += (out.empty() ? "" : ",") + std::string(reference.id);
  }
  return out;
}

// What says which event it is comes before what a container can make long.
// 32473 is the number that RFC 5612 keeps for examples: Ward has none of its own.
std::string structured_data(const Event& event) {
  std::string out = "[ward@32473";
  const auto add = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out += std::string(" ") + name + "=\"" + guarded(value, "\"\\]") + "\"";
  };
  add("schema", kEventSchema);
  add("id", event.id);
  add("sequence", std::to_string(event.sequence));
  add("severity", std::string(severity_name(event.severity)));
  add("action", event.action);
  add("evidence", event.evidence);
  add("workload", event.workload);
  add("ctrNs", event.containerd_namespace);
  add("container", event.container);
  add("containerName", event.container_name);
  add("k8sNs", event.kubernetes_namespace);
  add("pod", event.pod);
  add("image", event.image);
  add("policy", event.policy);
  add("profile", event.profile);
  add("profileDigest", event.profile_digest);
  add("mode", event.mode);
  add("outcome", event.outcome);
  add("call", event.call);
  add("comm", event.comm);
  add("exe", event.exe);
  if (event.pid > 0) add("pid", std::to_string(event.pid));
  if (event.repeats > 0) add("repeats", std::to_string(event.repeats));
  add("techniques", techniques(event));
  return out + "]";
}

}  // namespace

int syslog_severity(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return 6;
    case Severity::kLow: return 5;
    case Severity::kMedium: return 4;
    case Severity::kHigh: return 3;
    case Severity::kCritical: return 2;
  }
  return 4;
}

std::string cef_text(const Event& event) {
  const auto head = [](const std::string& text) { return guarded(text, "\\|"); };
  std::string out = "CEF:0|Ward|ward|" WARD_VERSION "|" + head(event.kind) + "|" +
                    head("Ward " + event.kind + (event.call.empty() ? "" : " " + event.call)) +
                    "|" + std::to_string(cef_severity(event.severity)) + "|";
  const char* between = "";
  const auto add = [&](const char* key, const std::string& value) {
    if (value.empty()) return;
    out += std::string(between) + key + "=" + guarded(value, "\\=");
    between = " ";
  };
  const auto custom = [&](const char* key, const char* label, const std::string& value) {
    if (value.empty()) return;
    add((std::string(key) + "Label").c_str(), label);
    add(key, value);
  };
  add("rt", std::to_string(event.wall_ns / 1'000'000));
  add("dvchost", event.node);
  add("externalId", event.id);
  custom("cn1", "sequence", std::to_string(event.sequence));
  add("act", event.action);
  custom("flexString1", "evidence", event.evidence);
  add("outcome", event.outcome);
  if (event.pid > 0) add("spid", std::to_string(event.pid));
  add("sproc", event.comm);
  add("filePath", event.exe);
  add("reason", event.reason);
  if (event.repeats > 0) add("cnt", std::to_string(event.repeats + 1));
  custom("cs1", "workload", event.workload);
  custom("cs2", "pod", event.pod.empty() ? "" : event.kubernetes_namespace + "/" + event.pod);
  custom("cs3", "container",
         event.container.empty() ? "" : event.containerd_namespace + "/" + event.container);
  custom("cs4", "image", event.image);
  custom("cs5", "profile", event.profile.empty() ? "" : event.profile + "@" + event.profile_digest);
  custom("cs6", "techniques", techniques(event));
  return out + between + "msg=" + guarded(summary(event), "\\=", kMostSummary);
}

std::string syslog_message(const Event& event, bool cef) {
  constexpr std::size_t kMostHost = 255, kMostId = 32;
  const int priority = kFacilityAuthPriv * 8 + syslog_severity(event.severity);
  return "<" + std::to_string(priority) + ">1 " + timestamp(event.wall_ns) + " " +
         header(event.node, kMostHost) + " wardd - " + header(event.kind, kMostId) + " " +
         (cef ? "- " + cef_text(event)
              : structured_data(event) + " " + summary(event).substr(0, kMostSummary));
}

}  // namespace ward::enforcer::sinks
