// SPDX-License-Identifier: Apache-2.0
// Calls that were seen and that no profile can list, in words for people.
#pragma once

#include <string>
#include <vector>

#include "profiles/learn/observation.h"

namespace ward::profiles {

// "12 calls went through a foreign ABI (int 0x80, x32), of /opt/tool32"; empty: none did.
std::string describe_foreign(const std::vector<Run>& runs);

// "calls 470 and 600 have no name here: ..."; empty: all have one. Refused ones are told too: newer
// than the filter that refused them, they may be what a newer program tries first.
std::string describe_unknown(const std::vector<Run>& runs);

}  // namespace ward::profiles
