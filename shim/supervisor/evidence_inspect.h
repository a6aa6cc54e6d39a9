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

// <bundle>/rootfs as the runtime made it, with its why where there is none. Not the root of the
// offender, which chose that: behind a chroot(2) of its own it could keep a database that agrees.
UniqueFd open_image_root(const EvidenceRequest& request, std::string& why);

// Adds `symbol` to frames of `stack`. Waits for the program until `ends_ns` (monotonic).
void add_symbols(const MappedFiles& mapped, std::int64_t ends_ns, Json& stack, LeftOut& left_out);

// Adds `package`, `package_digest` and `package_agrees` to `maps`, and `package_changed`: whether
// the database itself was changed in the writable layer `upper`, null where there is none. A root
// that is none adds nothing. Until `ends_ns`, as above.
void add_packages(const MappedFiles& mapped, const UniqueFd& root, const UniqueFd& upper,
                  std::int64_t ends_ns, Json& maps, LeftOut& left_out);

}  // namespace ward::shim::supervisor
