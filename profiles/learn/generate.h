// SPDX-License-Identifier: Apache-2.0
// Observations to a profile. What a workload was seen to do, widened by what it would do in another
// run of the same kind (base set, families of calls), narrowed by argument filters where all values
// are known, and without the danger set, which only a person may allow. Pure; the caller asks
// coverage() how much is probably missing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/learn/observation.h"
#include "profiles/left_out.h"
#include "profiles/profile.h"

namespace ward::profiles {

struct GenerateOptions {
  std::string name;  // empty: the workload's
  std::uint64_t version = 1;
  bool allow_lossy = false;  // a recording that lost events cannot become a profile silently
  bool allow_mixed = false;  // nor can one with runs of different images or namespaces
  Posture posture = Posture::kBalanced;
};

struct Generated {
  Profile profile;
  std::vector<LeftOut> left_out;
  std::vector<std::string> warnings;
  std::string
      header;  // for write_yaml: where it comes from, and what was left out and how to allow it
};

// kFailedPrecondition: nothing was recorded, or events were lost. kInvalidArgument: the name is
// none.
Result<Generated> generate(const Observations& observations, const GenerateOptions& options);

// The document: the profile, and in it, as comments at their places, the lines that allow what was
// left out.
std::string write_generated(const Generated& generated);

}  // namespace ward::profiles
