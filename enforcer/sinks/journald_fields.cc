// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/formats.h"
#include "lib/base/escape.h"
#include "lib/base/rfc3339.h"

namespace ward::enforcer::sinks {
std::vector<std::string> journald_fields(const Event& event) {
  std::vector<std::string> out{"MESSAGE=" + summary(event),
                               "PRIORITY=" + std::to_string(syslog_severity(event.severity)),
                               "SYSLOG_IDENTIFIER=ward"};
  const auto add = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out.push_back(std::string(name) + "=" + escape(value, kMaxText));
  };
  add("WARD_SCHEMA", kEventSchema);
  add("WARD_ID", event.id);
  add("WARD_SEQUENCE", std::to_string(event.sequence));
  add("WARD_TIME", format_rfc3339(event.wall_ns));
  add("WARD_KIND", event.kind);
  add("WARD_SEVERITY", std::string(severity_name(event.severity)));
  add("WARD_WORKLOAD", event.workload);
  add("WARD_CONTAINERD_NAMESPACE", event.containerd_namespace);
  add("WARD_CONTAINER", event.container);
  add("WARD_KUBERNETES_NAMESPACE", event.kubernetes_namespace);
  add("WARD_POD", event.pod);
  add("WARD_IMAGE", event.image);
  add("WARD_POLICY", event.policy);
  add("WARD_PROFILE", event.profile);
  add("WARD_PROFILE_DIGEST", event.profile_digest);
  add("WARD_MODE", event.mode);
  add("WARD_ACTION", event.action);
  add("WARD_OUTCOME", event.outcome);
  add("WARD_CALL", event.call);
  add("WARD_COMM", event.comm);
  add("WARD_EXE", event.exe);
  if (event.pid > 0) add("WARD_PID", std::to_string(event.pid));
  add("WARD_EVIDENCE", event.evidence);
  add("WARD_REASON", event.reason);
  std::string techniques;
  for (const Reference& reference : event.references) {
    if (reference.framework == "attack")
      techniques += (techniques.empty() ? "" : ",") + std::string(reference.id);
  }
  add("WARD_TECHNIQUES", techniques);
  return out;
}

}  // namespace ward::enforcer::sinks
