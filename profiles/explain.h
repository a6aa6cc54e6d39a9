// SPDX-License-Identifier: Apache-2.0
// One call under one profile: allowed or not, where, why, what its posture does about the rest, and
// who else allows it. For `ward profile explain`; text for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "profiles/profile.h"

namespace ward::profiles {

struct Allowance {
  Layer layer = Layer::kServing;
  std::string arguments;             // "any arguments", "argument 0 is AF_UNIX"
  std::vector<std::string> sources;  // "listed in serving", "baseline ward-baseline"
};

struct Explanation {
  std::string syscall;
  std::vector<Allowance> allowed;  // empty: nowhere
  // The strictest class that the call may have, and what the posture does about what is not allowed
  // above: arguments that it allows in the filter, and those that it lets run and records; empty:
  // none. `own_numbers`: also where a number among them is the caller's own.
  std::string harm;
  std::string posture_allows;
  std::string posture_lets_run;
  bool own_numbers = false;
  std::string danger;               // what of the call is in the danger set; empty where nothing is
  std::string signature;            // the reason of its accept, if any
  std::string refused;              // arguments that are listed under `refused`; empty: it is not
  std::string in_docker_default;    // arguments Docker's default allows; empty: it does not
  std::vector<std::string> family;  // other calls that are learned with it
  std::string verdict;              // one sentence
};

Result<Explanation> explain(
    const Profile& profile,
    std::string_view syscall);  // kInvalidArgument: unknown name, with the nearest
std::string format_explanation(const Explanation& explanation);

}  // namespace ward::profiles
