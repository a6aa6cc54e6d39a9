// SPDX-License-Identifier: Apache-2.0
// What the journal is told of containers whose state has changed, and of evidence that retention
// removed. Values in, values out.
#pragma once

#include <vector>

#include "enforcer/evidence/retention.h"
#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "ward/node/v1/node.pb.h"

namespace ward::enforcer {

// Journalled once, also when wardd restarts and hears of it again: the id is made of what it is.
JournalEntry quarantined_event(const ContainerEntry& entry);
JournalEntry killed_event(const node::v1::ContainerStatus& status);
JournalEntry mode_changed_event(const node::v1::ContainerStatus& before,
                                const ContainerEntry& entry);
JournalEntry evidence_removed_event(const std::vector<Removal>& removed);

}  // namespace ward::enforcer
