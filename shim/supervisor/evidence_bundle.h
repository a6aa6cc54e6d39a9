// SPDX-License-Identifier: Apache-2.0
// The files of an evidence directory. Nothing here touches the container: what was read of it comes
// as parts (evidence_reader.h), and what did not come is named in `left_out`.
#pragma once

#include "lib/base/result.h"
#include "shim/supervisor/evidence_parts.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

// Writes evidence.json, mounts.txt, sockets.txt, spec-original.json, spec-effective.json, copies of
// changed files and, last, SHA256SUMS: a directory without it is incomplete.
Result<void> write_evidence(const EvidenceRequest& request, const Parts& parts);

}  // namespace ward::shim::supervisor
