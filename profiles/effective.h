// SPDX-License-Identifier: Apache-2.0
// What a profile allows once its baselines are added and its layers are laid over each other. The
// compiler, diff, explain and every count that people see use this, so that they cannot disagree.
#pragma once

#include <cstddef>

#include "profiles/profile.h"

namespace ward::profiles {

// The layer's own entries, with ward-baseline and the profile's baselines in serving. The
// compiler's additions are made here too: clone without namespace flags unless signed for, and
// never clone3.
SyscallSet effective_layer(const Profile& profile, Layer layer);

// Everything allowed in some layer, united.
SyscallSet effective_union(const Profile& profile);

std::size_t count_allowed(
    const Profile& profile);  // calls in the union; an argument filter counts as allowed

}  // namespace ward::profiles
