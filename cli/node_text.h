// SPDX-License-Identifier: Apache-2.0
// What `ward node` prints. What containerd, its files and its containers say is escaped here.
#pragma once

#include <string>

#include "cli/node/doctor.h"
#include "cli/node/install.h"
#include "cli/present/style.h"
#include "lib/json/json.h"

namespace ward::cli {

std::string outcome_text(const node::Outcome& outcome, bool dry_run, const Style& style);
nlohmann::ordered_json outcome_json(const node::Outcome& outcome, bool dry_run);

std::string findings_text(const node::Findings& findings, const Style& style);
nlohmann::ordered_json findings_json(const node::Findings& findings);

// `findings`: those about Ward itself.
std::string state_text(const node::NodeFacts& facts, const node::Findings& findings,
                       const Style& style);
nlohmann::ordered_json state_json(const node::NodeFacts& facts, const node::Findings& findings);

int count(const node::Findings& findings, node::Level level);

}  // namespace ward::cli
