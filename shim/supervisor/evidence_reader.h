// SPDX-License-Identifier: Apache-2.0
// What is read of a container for its evidence. Runs in a process of its own, which the container
// may make hang and which is killed then: hence what is safe comes first, then what touches the
// container's memory, then what is on disk. Everything is bounded in number, bytes and time, and
// escaped; of arguments and environment only what redaction.h names is kept, unless the node's
// settings ask for all of it.
#pragma once

#include "shim/supervisor/evidence_parts.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

void read_evidence(const EvidenceRequest& request, const PartSink& sink);

}  // namespace ward::shim::supervisor
