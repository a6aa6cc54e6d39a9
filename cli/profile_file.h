// SPDX-License-Identifier: Apache-2.0
// Profiles and policies as the files a person names on the command line; "-" is standard input.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "lib/base/utf8.h"
#include "profiles/profile.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::cli {

struct ProfileText {
  std::string name;  // for messages: the path, or "<stdin>"
  std::string text;
};

Result<ProfileText> read_profile_text(const std::string& path);
Result<profiles::Profile> read_profile_file(const std::string& path);  // read, parsed and validated

// The text of a profile as a request takes it. What is not even a profile is told here: text that
// is not UTF-8 cannot be sent.
template <typename Request>
Result<void> put_profile(const std::string& path, Request& request) {
  auto file = read_profile_text(path);
  if (!file) return tl::unexpected<Error>(file.error());
  if (auto profile = profiles::read_profile(file->text, file->name); !profile)
    return tl::unexpected<Error>(profile.error());
  request.set_yaml(file->text);
  request.set_file_name(to_utf8(file->name));
  return {};
}

}  // namespace ward::cli
