// SPDX-License-Identifier: Apache-2.0
// What one profile allows and another does not, both ways, for `ward profile diff` and for reviews
// of a widening. Compared is what would be in force (baselines included), so two texts that mean
// the same have no difference.
#pragma once

#include <string>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

struct SyscallChange {
  Layer layer = Layer::kServing;
  std::string syscall;
  std::string before;  // "not allowed", "any arguments", "domain: AF_UNIX, AF_INET"
  std::string after;
  bool dangerous = false;  // what is new is in the danger set
};

struct ProfileDiff {
  std::vector<SyscallChange> widened;  // b allows what a does not
  std::vector<SyscallChange>
      narrowed;  // a allows what b does not; a change of arguments may stand in both
  std::vector<std::string> capabilities_added, capabilities_removed;
  std::vector<std::string> settings;  // "onViolation.workload: quarantine -> kill"
  [[nodiscard]] bool empty() const;
  [[nodiscard]] bool widens() const;  // more calls, more capabilities, or less strict settings
  bool settings_widen = false;
};

ProfileDiff diff(const Profile& a, const Profile& b);

// One line each, "+ serving socket: ..." and "- ...", then the settings. "" where nothing differs.
std::string format_diff(const ProfileDiff& difference);

// "any arguments", or "argument 0 is AF_UNIX or AF_INET, and argument 1 & 0xf is SOCK_STREAM".
std::string describe_arguments(const SyscallEntry& entry);

}  // namespace ward::profiles
