// SPDX-License-Identifier: Apache-2.0
// The words of the enumerations of profile.h, as they stand in YAML, in output and in documents.
// Those that the shim knows as well are in profiles/filter/terms.h.
#pragma once

#include <string_view>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

using filter::action_name;
using filter::action_names;
using filter::layer_name;
using filter::mode_name;
using filter::mode_names;
using filter::sessions_name;
using filter::sessions_names;

std::string_view refused_name(Refused refused);  // "log"
std::string_view missing_name(Missing missing);  // "refuse"
std::string_view posture_name(Posture posture);  // "balanced"

// In the order of the enumeration, so that the index is the value.
const std::vector<std::string_view>& refused_names();
const std::vector<std::string_view>& missing_names();
const std::vector<std::string_view>& posture_names();

// [a-z0-9] first, then [a-z0-9._-], at most 63: names are parts of file names, so '/' and '..'
// never are names.
bool is_name(std::string_view text);

}  // namespace ward::profiles
