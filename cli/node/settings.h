// SPDX-License-Identifier: Apache-2.0
// A TOML document as a flat list: the path of each value and the value as TOML writes it, so that
// two configurations of containerd can be compared and parts of one can be written into another.
// TOML itself is read in settings.cc alone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward::cli::node {

using KeyPath = std::vector<std::string>;
using Settings = std::map<KeyPath, std::string>;  // a table without anything in it is "{}"

// kFailedPrecondition: "<name>:<line>:<column>: <what is wrong>".
Result<Settings> parse_settings(std::string_view text, const std::string& name);

// What stands in `imports`, and where in the text the list is; nothing where there is none.
struct Imports {
  std::vector<std::string> patterns;
  std::size_t begin = 0, end = 0;  // bytes
};
Result<std::optional<Imports>> find_imports(std::string_view text, const std::string& name);

bool is_below(const KeyPath& path, const KeyPath& above);  // or the same
std::string key_text(const KeyPath& path);                 // plugins."io.containerd.grpc.v1.cri"
std::string quoted_text(std::string_view text);            // a basic string
// The value of a string, without quotation marks; empty where there is none or it is another type.
std::string text_at(const Settings& settings, const KeyPath& path);

// Everything below `above`, as tables of a document in which `above` is called `renamed`.
std::string tables_text(const Settings& settings, const KeyPath& above, const KeyPath& renamed);

}  // namespace ward::cli::node
