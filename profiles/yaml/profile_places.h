// SPDX-License-Identifier: Apache-2.0
// Where in a profile's text things stand, for those who show a person the line that decides:
// "syscalls.serving.read", "refused.mount", "accept.0", "onViolation.workload", "posture",
// "extends". A call with several lists of arguments has the second under "syscalls.serving.NAME.1".
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {

using Places = std::map<std::string, Position>;

Places profile_places(std::string_view text);  // empty where the text is no profile

}  // namespace ward::profiles
