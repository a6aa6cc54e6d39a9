// SPDX-License-Identifier: Apache-2.0
// A profile to the rule table that the shim enforces from (proto/ward/node/v1/compiled.proto), and
// to an OCI filter for other tools. Values in, values out: wardd writes the bytes,
// content-addressed.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"
#include "profiles/profile.h"
#include "profiles/runtime_calls.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::profiles {

// kInvalidArgument with every error that validate() finds, one a line; such a profile is never
// compiled.
Result<node::v1::CompiledProfile> compile(const Profile& profile);
// The same without what the posture gives to exec sessions alone: for a filter that cannot tell
// them from the workload.
Result<node::v1::CompiledProfile> compile_for_one_origin(const Profile& profile);

// The filter alone, complement form, as the shim would install it for a container without a filter
// of its own. Calls that a supervisor would decide are SCMP_ACT_NOTIFY; `unsupervised` answers
// EPERM to them instead, for use without Ward, and allows what `runtime` says for ever.
enum class Supervision { kSupervised, kUnsupervised };
Result<oci::Seccomp> compile_to_oci(const Profile& profile, Supervision supervision,
                                    const RuntimeCalls& runtime = runtime_calls({}));

// A file of <state>/compiled: the bytes, and the name they go by.
struct SealedBytes {
  std::string bytes;
  std::string sha256;  // of the bytes
};
SealedBytes seal(const node::v1::CompiledProfile& profile);

// All combinations of the values that the filters list, as alternatives of the rule.
void add_alternatives(node::v1::SyscallRule& rule, const ArgFilters& args);

node::v1::Refused to_proto(Refused refused);
node::v1::Actions to_proto(const Reaction& workload, const Reaction& exec, Refused refused);

}  // namespace ward::profiles
