// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_events.h"

#include <map>
#include <string>

#include "profiles/filter/terms.h"

namespace ward::enforcer {

// A quarantine is journalled once, also when wardd restarts and hears of it again: its id is made
// of what it is.
JournalEntry quarantined_event(const ContainerEntry& entry) {
  const node::v1::ContainerStatus& status = entry.status;
  JournalEntry event{EventKind::kQuarantined, {}};
  event.body.set_event_id("quarantined-" + status.identity().containerd_namespace() + "/" +
                          status.identity().container_id() + "-" +
                          std::to_string(status.since_wall_ns()));
  event.body.set_wall_ns(status.since_wall_ns());
  *event.body.mutable_identity() = status.identity();
  event.body.set_mode(status.mode());
  event.body.set_profile_name(status.profile_name());
  event.body.set_profile_digest(status.profile_digest());
  event.body.set_outcome("quarantined");
  event.body.set_reason(status.note());
  return event;
}

// Likewise. What a person asked for is journalled where it was asked for, and what a violation led
// to is its record.
JournalEntry killed_event(const node::v1::ContainerStatus& status) {
  JournalEntry event{EventKind::kKilled, {}};
  event.body.set_event_id("killed-" + status.identity().containerd_namespace() + "/" +
                          status.identity().container_id() + "-" +
                          std::to_string(status.killed_wall_ns()));
  event.body.set_wall_ns(status.killed_wall_ns());
  *event.body.mutable_identity() = status.identity();
  event.body.set_mode(status.mode());
  event.body.set_profile_name(status.profile_name());
  event.body.set_profile_digest(status.profile_digest());
  event.body.set_outcome("killed");
  event.body.set_reason(status.killed_for());
  return event;
}

JournalEntry mode_changed_event(const node::v1::ContainerStatus& before,
                                const ContainerEntry& entry) {
  const node::v1::ContainerStatus& after = entry.status;
  JournalEntry event{EventKind::kModeChanged, {}};
  *event.body.mutable_identity() = after.identity();
  event.body.set_mode(after.mode());
  event.body.set_profile_name(after.profile_name());
  event.body.set_profile_digest(after.profile_digest());
  event.body.set_reason("from " + std::string(filter::mode_name(before.mode())) + " to " +
                        std::string(filter::mode_name(after.mode())) +
                        (after.partly().empty() ? "" : "; " + after.partly()) +
                        (entry.asked.empty() ? "" : "; " + entry.asked));
  return event;
}

// One entry for a pass, which may have removed many: each has its line in wardd's log.
JournalEntry evidence_removed_event(const std::vector<Removal>& removed) {
  std::map<std::string, std::size_t> reasons;
  for (const Removal& removal : removed) {
    ++reasons[std::string(describe(removal.why)) +
              (removal.why == Why::kShare ? " (" + removal.bundle.workload + ")" : "")];
  }
  std::string said;
  for (const auto& [reason, count] : reasons) {
    said += (said.empty() ? "" : "; ") + std::to_string(count) + " " + reason;
  }
  JournalEntry event{EventKind::kEvidenceRemoved, {}};
  event.body.set_reason(said);
  return event;
}

}  // namespace ward::enforcer
