// SPDX-License-Identifier: Apache-2.0
// The node's OCI runtime for a person: which it is, how many calls it makes under a container's
// filter, and what an upgrade changed of them.
#pragma once

#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

// "runc 1.3.6 (sha256:1f0c5a3b9e21)"; empty: none was measured.
std::string runtime_title(const ward::v1::Runtime& runtime);

// "runc 1.3.6 (sha256:1f0c5a3b9e21) 26 calls; +close_range -readlink since runc 1.1.5"; likewise.
std::string runtime_text(const ward::v1::Runtime& runtime, const Style& style);

}  // namespace ward::cli
