// SPDX-License-Identifier: Apache-2.0
// What a node lets run besides a profile: rules that are put into its compiled form, and taken out
// again. The profile's identity stays what it is; CompiledProfile.overlay names the rules. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/compile.h"
#include "profiles/profile.h"
#include "profiles/resolve.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::profiles {

struct Overlay {
  std::vector<node::v1::SyscallRule> let_run;    // by the supervisor, which counts them
  std::vector<node::v1::SyscallRule> in_filter;  // by the kernel, unseen
  [[nodiscard]] bool empty() const { return let_run.empty() && in_filter.empty(); }
};

using Overlays = std::map<std::string, Overlay>;  // by the digest of the profile

// A rule of one call: the filters are one alternative, none is the whole call.
node::v1::SyscallRule overlay_rule(int nr, const ArgFilters& filters);

std::string digest(const Overlay& overlay);  // sha256; empty where it is

node::v1::CompiledProfile with_overlay(node::v1::CompiledProfile plain, const Overlay& overlay);
// kFailedPrecondition where the file has another overlay than that.
Result<node::v1::CompiledProfile> without_overlay(node::v1::CompiledProfile compiled,
                                                  const Overlay& overlay);

// The index and its files with other overlays than they have. A profile that would be too large
// for shims with its overlay goes without. `before` are those that they have.
Result<void> change_overlays(Resolved& resolved, const Overlays& before, const Overlays& after);

}  // namespace ward::profiles
