// SPDX-License-Identifier: Apache-2.0
// All policies and profiles of a node to the index that shims read at every start. Values in,
// values out.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "profiles/compile.h"
#include "profiles/profile.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::profiles {

struct Resolved {
  node::v1::CompiledIndex index;
  std::vector<SealedBytes>
      files;  // compiled profiles that the index names, the baseline among them
  std::vector<std::string>
      warnings;  // "policy web, rule 2: there is no profile 'api'; until there is, missing: refuse"
  // Of each warning: the policy, and what of it, as policy_places() names it.
  std::vector<std::pair<std::string, std::string>> warned_of;
};

// `policies` in the order that counts (of their file names); first match wins over all of them. Two
// profiles, or two policies, of one name are kAlreadyExists: nothing is resolved, what is in force
// stays (I9).
Result<Resolved> resolve(const std::vector<Policy>& policies, const std::vector<Profile>& profiles,
                         const node::v1::NodeSettings& settings, std::uint64_t generation);

}  // namespace ward::profiles
