// SPDX-License-Identifier: Apache-2.0
// YAML text to values, strictly (I9): the first thing that is wrong, and as many more as make
// sense, come back as "file:line:column: what is wrong and what would be right", one a line. What
// is returned has passed validate(). Pure: the caller reads the file. Every limit is in
// yaml_tree.h.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "profiles/profile.h"
#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {

Result<Profile> read_profile(std::string_view text, std::string_view file_name);
Result<Policy> read_policy(std::string_view text, std::string_view file_name);

// Where in a policy's text things stand: "rules.0.profile", "rules.0". Empty where it is none.
std::map<std::string, Position> policy_places(std::string_view text);

// The document's `kind`, for folders and commands that take more than one.
Result<std::string> read_kind(std::string_view text, std::string_view file_name);

}  // namespace ward::profiles
