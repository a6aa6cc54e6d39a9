// SPDX-License-Identifier: Apache-2.0
// A strict subset of YAML as a small tree with positions. The limits and refusals act on the
// parser's events, before any tree exists: anchors, aliases, tags, merge keys, duplicate keys,
// several documents, depth, size and number of events. yaml-cpp, its exceptions and its stack use
// stay inside yaml_tree.cc. Knows nothing of profiles.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward::profiles {

inline constexpr std::size_t kMaxYamlBytes = 256U << 10U;
inline constexpr std::size_t kMaxYamlDepth = 16;
inline constexpr std::size_t kMaxYamlEvents = 20'000;

struct Position {
  int line = 1;  // both count from 1
  int column = 1;
};

struct YamlNode;

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  Position at;
  std::string scalar;
  bool quoted = false;             // a quoted scalar is a string, whatever it looks like
  std::vector<YamlNode> items;     // kSequence
  std::vector<YamlEntry> entries;  // kMap, in the order of the file, keys unique
};

struct YamlEntry {
  std::string key;
  Position at;
  YamlNode value;
};

// "file:line:column: what" on the first thing that is refused; kInvalidArgument.
Result<YamlNode> parse_yaml(std::string_view text, std::string_view file_name);

std::string format_position(std::string_view file_name, Position at);  // "web.yaml:14:9"

}  // namespace ward::profiles
