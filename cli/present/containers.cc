// SPDX-License-Identifier: Apache-2.0
#include "cli/present/containers.h"

#include "cli/present/table.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"

namespace ward::cli {

std::string full_name(const ward::v1::Container& container) {
  std::string out = container.containerd_namespace() + "/" + container.id();
  if (!container.kubernetes_namespace().empty()) {
    out += " (" + container.kubernetes_namespace() + "/" + container.pod() + "/" +
           container.name() + ")";
  }
  return escape(out, 1024);
}

std::string container_table(const ward::v1::ListContainersResponse& containers,
                            const Style& style) {
  Table table({"NAMESPACE", "CONTAINER", "STATE", "SINCE", "MODE", "PROFILE", "PHASE", "PID",
               "VIOLATIONS", "NOTE"});
  for (const auto& c : containers.containers()) {
    Table::Paint paint;
    if (c.state() == "QUARANTINED")
      paint = [&](const std::string& text) { return style.bad(text); };
    std::string profile = c.profile();
    if (!c.profile_digest().empty()) profile += "@" + short_digest(c.profile_digest());
    if (!c.overlay().empty()) profile += "+" + short_digest(c.overlay());
    // What a person can name it by: NAMESPACE/CONTAINER.
    const bool in_pod = !c.kubernetes_namespace().empty();
    const std::string who = in_pod ? c.pod() + "/" + c.name() : c.id();
    table.add({in_pod ? c.kubernetes_namespace() : c.containerd_namespace(),
               who,
               {c.state(), paint},
               age(c.since_wall_ns(), wall_ns()),
               c.mode(),
               profile,
               c.phase(),
               c.pid() == 0 ? "-" : std::to_string(c.pid()),
               std::to_string(c.violations()),
               c.note()});
  }
  return table.text(style);
}

}  // namespace ward::cli
