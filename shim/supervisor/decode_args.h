// SPDX-License-Identifier: Apache-2.0
// Scalar arguments of a system call as people read them: "CLONE_NEWUSER|CLONE_NEWNS", "AF_ALG".
// Never looks behind a pointer. Used for records and evidence only.
#pragma once

#include <string>
#include <vector>

#include "profiles/filter/seccomp_intersect.h"

namespace ward::shim::supervisor {

// One text per argument the call has ("0x7f.." for a pointer or a plain number); six for a call
// that is not known here.
std::vector<std::string> decode_args(int nr, const filter::CallArgs& args);

}  // namespace ward::shim::supervisor
