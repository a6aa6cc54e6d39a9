// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/seccomp.h"
#include "profiles/profile.h"

namespace ward::profiles {

NewestKnown newest_known_here() {
  NewestKnown newest;
  for (const auto& [name, nr] : oci::known_syscalls()) {
    // One in a gap of the numbers says less than the call it is as old as.
    if (oci::order_of_appearance(nr) != static_cast<std::uint32_t>(nr)) continue;
    if (static_cast<std::uint32_t>(nr) > newest.number)
      newest = {static_cast<std::uint32_t>(nr), name};
  }
  return newest;
}

bool is_newer_than(const Profile& profile, int nr) {
  return profile.knows && oci::order_of_appearance(nr) > profile.knows->number;
}

}  // namespace ward::profiles
