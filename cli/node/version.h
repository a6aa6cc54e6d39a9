// SPDX-License-Identifier: Apache-2.0
// Versions of programs as they say them: "1.6.20~ds1", "v2.1.9+unknown", "1.2.0-rc.1". Pure.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace ward::cli::node {

struct Version {
  int major = 0, minor = 0, patch = 0;
  bool pre = false;  // -rc, -beta: before the version of that number
  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version& other) const = default;
};

// The first word of the text that is one.
std::optional<Version> find_version(std::string_view text);
std::string version_text(const Version& version);  // 1.6.20

}  // namespace ward::cli::node
