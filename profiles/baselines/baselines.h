// SPDX-License-Identifier: Apache-2.0
// Built-in sets of calls, as data. A profile may name them under `extends`; the compiler adds
// ward-baseline to every profile.
//   ward-baseline      what any program may need at a moment no recording shows: signals, exit
//   paths, memory, clocks without vDSO docker-default     what Docker's default profile allows
//   without condition: for comparison, and to start from container-default  docker-default without
//   the danger set: what `missing: baseline` puts in force
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

// All allowed in the layer serving. Null where there is none of that name.
const SyscallSet* find_baseline(std::string_view name);
std::string baseline_names();  // "ward-baseline, docker-default and container-default"

// A whole profile for `missing: baseline`: container-default, Docker's default capabilities, action
// deny.
const Profile& baseline_profile();

// Calls that a libc or kernel uses in each other's place (stat, newfstatat, statx): learned as one.
// Contains `name` itself.
std::vector<std::string> family_of(std::string_view name);

// The calls that Docker's default allows without condition and that exist here: 292 on x86_64 with
// libseccomp 2.5.4.
const std::vector<std::string>& docker_default_unconditional();

// Docker's default capabilities (14), sorted.
const std::vector<std::string>& docker_default_capabilities();

}  // namespace ward::profiles
