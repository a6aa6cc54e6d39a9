// SPDX-License-Identifier: Apache-2.0
// Where and under what a container ran: clocks, counters of its cgroups, its profile, and its spec
// as containerd wrote it and as it was started. For .cc files of evidence only.
#pragma once

#include <string>

#include "shim/supervisor/evidence_json.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

Json clocks();
Json cgroup_counters(const EvidenceRequest& request);
Json profile_summary(const EvidenceRequest& request);
// A config.json with the values of environment and arguments redacted; empty where there is none,
// or it cannot be understood.
std::string spec_copy(const std::filesystem::path& config, bool full);

}  // namespace ward::shim::supervisor
