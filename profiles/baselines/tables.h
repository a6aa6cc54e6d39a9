// SPDX-License-Identifier: Apache-2.0
// The built-in sets themselves; everyone outside of this folder asks find_baseline().
#pragma once

#include "profiles/profile.h"

namespace ward::profiles {

const SyscallSet& ward_baseline();
const SyscallSet& docker_default();
const SyscallSet& container_default();

}  // namespace ward::profiles
