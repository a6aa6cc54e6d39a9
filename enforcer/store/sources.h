// SPDX-License-Identifier: Apache-2.0
// The files people write, as they lie in <config>: text only, in the order that counts. Nothing is
// parsed here.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/places.h"
#include "lib/base/result.h"

namespace ward::enforcer {

inline constexpr std::size_t kMaxSourceFiles = 1024;  // in one directory

struct SourceFile {
  std::filesystem::path path;
  std::string text;
};

struct Sources {
  std::vector<SourceFile> profiles;
  std::vector<SourceFile> policies;
  bool profiles_exist =
      false;  // the directory; an empty one and a missing one are different things
  bool policies_exist = false;
  [[nodiscard]] std::string fingerprint() const;  // differs where anything that was read differs
};

// Every *.yaml and *.yml of both directories, sorted by file name. Files whose name begins with a
// dot are not looked at (editors' and ConfigMaps' own). One file that cannot be read is an error of
// all.
Result<Sources> read_sources(const Places& places);

}  // namespace ward::enforcer
