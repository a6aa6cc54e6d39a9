// SPDX-License-Identifier: Apache-2.0
// Source: schema.ocsf.io, 1.3.0, class detection_finding.
#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/json_parts.h"

namespace ward::enforcer::sinks {
namespace {

struct Ended {
  int action_id;
  const char* action;
  int disposition_id;
  const char* disposition;
};

Ended ended(const Event& event) {
  const auto begins = [&event](const char* word) { return event.outcome.rfind(word, 0) == 0; };
  // It was to be contained, and is not.
  if (begins("quarantined:") || begins("kill failed")) return {3, "Observed", 13, "Uncorrected"};
  if (begins("quarantined") || event.kind == "quarantined") return {2, "Denied", 3, "Quarantined"};
  if (begins("denied") || begins("killed") || begins("process killed") || begins("refused") ||
      event.kind == "killed")
    return {2, "Denied", 2, "Blocked"};
  return {3, "Observed", 17, "Logged"};
}

const char* severity_word(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return "Informational";
    case Severity::kLow: return "Low";
    case Severity::kMedium: return "Medium";
    case Severity::kHigh: return "High";
    case Severity::kCritical: return "Critical";
  }
  return "Unknown";
}

Json attacks(const Event& event) {
  Json out = Json::array();
  for (const Reference& reference : event.references) {
    if (reference.framework == "attack")
      out.push_back({{"technique", {{"uid", reference.id}, {"name", reference.name}}}});
  }
  return out;
}

Json evidence(const Event& event) {
  constexpr int kRegularFile = 1;
  Json process = {{"pid", event.pid}, {"name", event.comm}};
  if (!event.exe.empty()) {
    process["file"] = {{"name", event.exe.substr(event.exe.rfind('/') + 1)},
                       {"type_id", kRegularFile},
                       {"path", event.exe}};
  }
  Json container = {{"uid", event.container},
                    {"name", event.container_name},
                    {"image", {{"uid", event.image_digest}, {"name", event.image}}}};
  process["container"] = container;
  return Json::array({{{"process", process},
                       {"container", container},
                       {"data", {{"call", event.call}, {"args", event.args}}}}});
}

}  // namespace

std::string ocsf_json(const Event& event) {
  constexpr int kCategory = 2, kClass = 2004, kCreate = 1;
  constexpr std::int64_t kNsPerMs = 1'000'000;
  const Ended how = ended(event);
  Json out = {
      {"category_uid", kCategory},
      {"class_uid", kClass},
      {"activity_id", kCreate},
      {"type_uid", kClass * 100 + kCreate},
      {"time", event.wall_ns / kNsPerMs},
      {"severity_id", static_cast<int>(event.severity) + 1},
      {"severity", severity_word(event.severity)},
      {"status_id", 1},
      {"message", summary(event)},
      {"metadata",
       {{"version", "1.3.0"},
        {"uid", event.id},
        {"sequence", event.sequence},
        {"product", {{"name", "Ward"}, {"vendor_name", "Ward"}, {"version", WARD_VERSION}}}}},
      {"finding_info",
       {{"uid", event.id},
        {"title", "Ward " + event.kind},
        {"desc", event.reason},
        {"created_time", event.wall_ns / kNsPerMs},
        {"attacks", attacks(event)},
        {"types", Json::array({event.kind})}}},
      {"device", {{"hostname", event.node}, {"type_id", 0}}},
      {"action_id", how.action_id},
      {"action", how.action},
      {"disposition_id", how.disposition_id},
      {"disposition", how.disposition},
      {"policy", {{"name", event.profile}, {"uid", event.profile_digest}}},
      {"unmapped",
       {{"workload", event.workload},
        {"kubernetes_namespace", event.kubernetes_namespace},
        {"pod", event.pod},
        {"containerd_namespace", event.containerd_namespace},
        {"policy", event.policy},
        {"mode", event.mode},
        {"outcome", event.outcome},
        {"repeats", event.repeats}}},
  };
  if (!event.container.empty()) out["evidences"] = evidence(event);
  return write(out);
}

}  // namespace ward::enforcer::sinks
