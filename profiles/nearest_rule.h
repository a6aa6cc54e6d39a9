// SPDX-License-Identifier: Apache-2.0
// Where the rules of a profile stand, and which of them is nearest to a call that none allows. A
// part of ruling.cc.
#pragma once

#include <string>

#include "profiles/ruling.h"

namespace ward::profiles {

struct RuleFinder {
  const Profile& profile;
  const Places& places;
  const std::string& file;

  // "web.yaml:14:9"; empty where the text has no such line.
  [[nodiscard]] std::string place(const std::string& subject) const;
  // A rule of this layer: the profile's own line first, then a bundle that is signed for, then a
  // baseline.
  [[nodiscard]] RuleFound in_layer(Layer layer, const std::string& syscall,
                                   const SyscallEntry& entry) const;
};

// The same call with other arguments or in another layer, then a call that does the same.
void find_nearest(const RuleFinder& finder, const AskedCall& call, Ruling& ruling);

}  // namespace ward::profiles
