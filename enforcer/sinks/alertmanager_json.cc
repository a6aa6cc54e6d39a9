// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/json_parts.h"
#include "lib/base/escape.h"
#include "lib/base/rfc3339.h"

namespace ward::enforcer::sinks {
namespace {

// Without endsAt, which would be over where an event comes after an outage: Alertmanager lets an
// alert end by its own resolve_timeout. Without startsAt, for it refuses an alert that begins after
// that end, as those of a node do whose clock is fast.
Json alert(const Event& event) {
  const auto text = [](const std::string& of) { return escape(of, kMaxText); };
  Json labels = {{"alertname", "Ward " + event.kind},
                 {"severity", severity_name(event.severity)},
                 {"kind", event.kind}};
  // Alertmanager refuses a label without a value.
  const auto label = [&labels, &text](const char* name, const std::string& value) {
    if (!value.empty()) labels[name] = text(value);
  };
  label("node", event.node);
  label("namespace", event.kubernetes_namespace);
  label("pod", event.pod);
  label("container", event.container_name.empty() ? event.container : event.container_name);
  label("workload", event.workload);
  label("profile", event.profile);
  label("call", event.call);
  return {{"labels", labels},
          {"annotations",
           {{"summary", summary(event)},
            {"id", text(event.id)},
            {"time", format_rfc3339(event.wall_ns)},
            {"reason", text(event.reason)},
            {"outcome", text(event.outcome)},
            {"image", text(event.image)},
            {"evidence", text(event.evidence)}}}};
}

}  // namespace

std::string alertmanager_json(std::span<const Event> events) {
  Json out = Json::array();
  for (const Event& event : events) out.push_back(alert(event));
  return write(out);
}

}  // namespace ward::enforcer::sinks
