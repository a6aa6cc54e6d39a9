// SPDX-License-Identifier: Apache-2.0
// What the files of evidence share: JSON, bounded reads, and the list of what was left out. For .cc
// files of evidence only.
#pragma once

#include <filesystem>
#include <string>

#include "lib/json/json.h"

namespace ward::shim::supervisor {

using Json = nlohmann::ordered_json;

inline constexpr std::size_t kMaxPathBytes = 1024;

// What is there up to the cap; nothing where it cannot be read.
std::string read_prefix(const std::filesystem::path& path, std::size_t max_bytes,
                        bool* truncated = nullptr);

// Listings of the kernel hold container-controlled names (mount points, unix socket paths): lines
// stay, bytes are escaped.
std::string escape_lines(const std::string& text);

// What a bound or an error kept out of the bundle, for people.
class LeftOut {
 public:
  void add(const std::string& part, const std::string& why) {
    list_.push_back({{"part", part}, {"why", why}});
  }
  [[nodiscard]] const Json& list() const { return list_; }

 private:
  Json list_ = Json::array();
};

}  // namespace ward::shim::supervisor
