// SPDX-License-Identifier: Apache-2.0
// Names of functions on the stack, and what the image's package database says of what is mapped.
// Nothing of that is parsed here: ward-inspect, a program without any right, gets descriptors and
// says it. Here the bytes are only gathered. For .cc files of evidence only.
#pragma once

#include <cstdint>
#include <filesystem>

#include "lib/base/unique_fd.h"
#include "shim/supervisor/evidence_json.h"
#include "shim/supervisor/evidence_mapped.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

// The container's root, held while its process is there.
UniqueFd open_container_root(const EvidenceRequest& request);

// Adds `symbol` to frames of `stack`, and `package`, `package_digest` and `package_agrees` to
// `maps`. `upper`, which may be none, tells whether the database itself was changed in the writable
// layer: `package_changed` then. Waits for the program until `ends_ns` (monotonic), and ends it.
void inspect(const MappedFiles& mapped, const UniqueFd& root, const UniqueFd& upper,
             std::int64_t ends_ns, Json& stack, Json& maps, LeftOut& left_out);

}  // namespace ward::shim::supervisor
