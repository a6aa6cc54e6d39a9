// SPDX-License-Identifier: Apache-2.0
// A profile beside Docker's default, in numbers for a person.
#pragma once

#include <string>
#include <string_view>

namespace ward::cli {

// Two lines, the last without a newline; empty where the text is not a profile.
std::string comparison_with_docker(std::string_view profile_yaml);

}  // namespace ward::cli
