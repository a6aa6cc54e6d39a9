// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/json_parts.h"
#include "lib/base/escape.h"
#include "lib/base/rfc3339.h"

namespace ward::enforcer::sinks {
namespace {

const char* priority(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return "Informational";
    case Severity::kLow: return "Notice";
    case Severity::kMedium: return "Warning";
    case Severity::kHigh: return "Error";
    case Severity::kCritical: return "Critical";
  }
  return "Warning";
}

// "registry:5000/shop/web:7@sha256:..." -> "registry:5000/shop/web", "7"
std::pair<std::string, std::string> repository_and_tag(const std::string& image) {
  const std::string name = image.substr(0, image.find('@'));
  const std::size_t colon = name.rfind(':');
  const std::size_t slash = name.rfind('/');
  if (colon == std::string::npos || (slash != std::string::npos && colon < slash))
    return {name, ""};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

}  // namespace

std::string falco_json(const Event& event) {
  const auto text = [](const std::string& of) { return escape(of, kMaxText); };
  std::string args;
  for (const std::string& arg : event.args) args += (args.empty() ? "" : ", ") + text(arg);
  const auto [repository, tag] = repository_and_tag(event.image);
  Json tags = {"ward", event.kind};
  for (const Reference& reference : event.references) {
    const std::string framework(reference.framework);
    tags.push_back(framework == "attack" ? std::string(reference.id)
                                         : framework + ":" + std::string(reference.id));
  }
  // falcosidekick refuses an event whose k8s.* are no strings, or that has no fields at all.
  const Json fields = {
      {"container.id", text(event.container)},
      {"container.name", text(event.container_name)},
      {"container.image.repository", text(repository)},
      {"container.image.tag", text(tag)},
      {"container.image.digest", event.image_digest},
      {"k8s.ns.name", text(event.kubernetes_namespace)},
      {"k8s.pod.name", text(event.pod)},
      {"proc.name", text(event.comm)},
      {"proc.exepath", text(event.exe)},
      {"proc.pid", event.pid},
      {"evt.type", text(event.call)},
      {"evt.args", args},
      {"evt.time", event.wall_ns},
      {"ward.id", text(event.id)},
      {"ward.sequence", event.sequence},
      {"ward.kind", event.kind},
      {"ward.severity", severity_name(event.severity)},
      {"ward.workload", text(event.workload)},
      {"ward.policy", text(event.policy)},
      {"ward.profile", text(event.profile)},
      {"ward.profile_digest", text(event.profile_digest)},
      {"ward.mode", event.mode},
      {"ward.action", event.action},
      {"ward.outcome", text(event.outcome)},
      {"ward.capability", text(event.capability)},
      {"ward.repeats", event.repeats},
      {"ward.evidence", text(event.evidence)},
  };
  return write({{"output", format_rfc3339(event.wall_ns) + ": " + priority(event.severity) +
                               " ward " + summary(event)},
                {"priority", priority(event.severity)},
                {"rule", "Ward " + event.kind},
                {"source", "ward"},
                {"time", format_rfc3339(event.wall_ns)},
                {"hostname", text(event.node)},
                {"tags", std::move(tags)},
                {"output_fields", fields}});
}

}  // namespace ward::enforcer::sinks
