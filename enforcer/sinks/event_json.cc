// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/json_parts.h"
#include "lib/base/rfc3339.h"

namespace ward::enforcer::sinks {

std::string event_json(const Event& event) {
  Json references = Json::array();
  for (const Reference& reference : event.references)
    references.push_back(
        {{"framework", reference.framework}, {"id", reference.id}, {"name", reference.name}});
  return write({
      {"schema", kEventSchema},
      {"id", event.id},
      {"sequence", event.sequence},
      {"time", format_rfc3339(event.wall_ns)},
      {"node", event.node},
      {"kind", event.kind},
      {"severity", severity_name(event.severity)},
      {"summary", summary(event)},
      {"workload", event.workload},
      {"containerd_namespace", event.containerd_namespace},
      {"container", event.container},
      {"container_name", event.container_name},
      {"kubernetes_namespace", event.kubernetes_namespace},
      {"pod", event.pod},
      {"image", event.image},
      {"image_digest", event.image_digest},
      {"policy", event.policy},
      {"profile", event.profile},
      {"profile_digest", event.profile_digest},
      {"overlay", event.overlay},
      {"mode", event.mode},
      {"action", event.action},
      {"outcome", event.outcome},
      {"origin", event.origin},
      {"phase", event.phase},
      {"exec_id", event.exec_id},
      {"call", event.call},
      {"args", event.args},
      {"capability", event.capability},
      {"pid", event.pid},
      {"tid", event.tid},
      {"comm", event.comm},
      {"exe", event.exe},
      {"newer_program", event.newer_program},
      {"repeats", event.repeats},
      {"dropped_before", event.dropped_before},
      {"evidence", event.evidence},
      {"reason", event.reason},
      {"references", std::move(references)},
  });
}

}  // namespace ward::enforcer::sinks
