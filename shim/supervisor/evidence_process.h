// SPDX-License-Identifier: Apache-2.0
// Processes as evidence shows them: facts from /proc, descriptors with what their sockets are
// connected to. For .cc files of evidence only.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "shim/supervisor/evidence_json.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

Json describe_process(pid_t pid, const EvidenceRequest& request);
Json offender_and_ancestors(const EvidenceRequest& request);
Json processes_of(const EvidenceRequest& request);
// To a list of those. They are in the processes' own memory, and what was read before stays where a
// process has died meanwhile.
void add_arguments(Json& processes, const EvidenceRequest& request);
Json environment_of(const EvidenceRequest& request);
// `sockets`: the listings of the kernel, as sockets_of() reads them.
Json descriptors_of(const EvidenceRequest& request, const std::string& sockets);
std::string sockets_of(const EvidenceRequest& request);  // "# tcp\n..." and so on; not escaped

}  // namespace ward::shim::supervisor
