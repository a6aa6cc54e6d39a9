// SPDX-License-Identifier: Apache-2.0
// Source: opentelemetry-proto 1.3, logs.proto, in the JSON mapping of the OTLP specification:
// 64-bit numbers are texts.
#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/json_parts.h"

namespace ward::enforcer::sinks {
namespace {

Json attribute(const char* key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

int severity_number(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return 9;       // INFO
    case Severity::kLow: return 10;       // INFO2
    case Severity::kMedium: return 13;    // WARN
    case Severity::kHigh: return 17;      // ERROR
    case Severity::kCritical: return 21;  // FATAL
  }
  return 13;
}

Json record(const Event& event) {
  Json attributes = Json::array();
  const auto add = [&attributes](const char* key, const std::string& value) {
    if (!value.empty()) attributes.push_back(attribute(key, value));
  };
  add("event.name", "ward." + event.kind);
  add("ward.id", event.id);
  add("ward.sequence", std::to_string(event.sequence));
  add("ward.workload", event.workload);
  add("ward.policy", event.policy);
  add("ward.profile", event.profile);
  add("ward.profile_digest", event.profile_digest);
  add("ward.mode", event.mode);
  add("ward.action", event.action);
  add("ward.outcome", event.outcome);
  add("ward.call", event.call);
  std::string args;
  for (const std::string& arg : event.args) args += (args.empty() ? "" : ", ") + arg;
  add("ward.args", args);
  add("ward.capability", event.capability);
  add("ward.evidence", event.evidence);
  add("ward.reason", event.reason);
  add("container.id", event.container);
  add("container.name", event.container_name);
  add("container.image.name", event.image);
  add("k8s.namespace.name", event.kubernetes_namespace);
  add("k8s.pod.name", event.pod);
  add("process.executable.name", event.comm);
  add("process.executable.path", event.exe);
  if (event.pid > 0) add("process.pid", std::to_string(event.pid));
  std::string techniques;
  for (const Reference& reference : event.references) {
    if (reference.framework == "attack")
      techniques += (techniques.empty() ? "" : ",") + std::string(reference.id);
  }
  add("threat.technique.id", techniques);
  return {{"timeUnixNano", std::to_string(event.wall_ns)},
          {"observedTimeUnixNano", std::to_string(event.wall_ns)},
          {"severityNumber", severity_number(event.severity)},
          {"severityText", severity_name(event.severity)},
          {"body", {{"stringValue", summary(event)}}},
          {"attributes", std::move(attributes)}};
}

}  // namespace

std::string otlp_json(std::span<const Event> events) {
  Json records = Json::array();
  for (const Event& event : events) records.push_back(record(event));
  const std::string node = events.empty() ? "" : events.front().node;
  return write(
      {{"resourceLogs",
        Json::array(
            {{{"resource",
               {{"attributes",
                 Json::array({attribute("service.name", "ward"), attribute("host.name", node)})}}},
              {"scopeLogs", Json::array({{{"scope", {{"name", "ward"}, {"version", WARD_VERSION}}},
                                          {"logRecords", std::move(records)}}})}}})}});
}

}  // namespace ward::enforcer::sinks
