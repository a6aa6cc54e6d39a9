// SPDX-License-Identifier: Apache-2.0
// The calls that containers of a profile made and it does not list, and the capabilities that they
// used or missed, out of the journal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "lib/base/result.h"
#include "profiles/learn/propose.h"

namespace ward::enforcer {

// The newest of all containers: the core loop reads them.
inline constexpr std::uint32_t kMostEvents = 20'000;

struct CallsOutside {
  std::vector<profiles::CallOutside> calls;
  std::vector<profiles::CapabilityOutside> capabilities;
  bool all = true;  // else there are older events, which were not looked at
};

// What a container's own filter refuses is left out: it would be refused under any profile.
Result<CallsOutside> read_calls_outside(Journal& journal, const std::string& profile);

}  // namespace ward::enforcer
