// SPDX-License-Identifier: Apache-2.0
// Profiles and policies as the files a person names on the command line; "-" is standard input.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "profiles/profile.h"

namespace ward::cli {

struct ProfileText {
  std::string name;  // for messages: the path, or "<stdin>"
  std::string text;
};

Result<ProfileText> read_profile_text(const std::string& path);
Result<profiles::Profile> read_profile_file(const std::string& path);  // read, parsed and validated

}  // namespace ward::cli
