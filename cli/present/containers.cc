// SPDX-License-Identifier: Apache-2.0
#include "cli/present/containers.h"

#include "cli/present/table.h"
#include "lib/base/clock.h"

namespace ward::cli {

std::string container_table(const ward::v1::ListContainersResponse& containers, const Style& style) {
  Table table({"NAMESPACE", "CONTAINER", "STATE", "SINCE", "MODE", "PROFILE", "PHASE", "PID", "VIOLATIONS", "NOTE"});
  for (const auto& c : containers.containers()) {
    Table::Paint paint;
    if (c.state() == "QUARANTINED") paint = [&](const std::string& text) { return style.bad(text); };
    std::string profile = c.profile();
    if (!c.profile_digest().empty()) profile += "@" + short_digest(c.profile_digest());
    const std::string who = c.pod().empty() ? c.id() : c.pod() + "/" + c.name();
    table.add({c.containerd_namespace(),
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
