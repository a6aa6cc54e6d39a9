// SPDX-License-Identifier: Apache-2.0
// What `ward node doctor` finds: each says what is so, and what to do about it.
#pragma once

#include <string>
#include <vector>

namespace ward::cli::node {

enum class Level { kOk, kNote, kWarning, kProblem };

struct Finding {
  Level level = Level::kOk;
  std::string id;      // a word with hyphens that stays the same
  std::string about;   // kernel, cgroups, containerd, runtime, ward, node
  std::string found;   // a sentence; may hold text of others, unescaped
  std::string action;  // what to do; empty where there is nothing
};
using Findings = std::vector<Finding>;

}  // namespace ward::cli::node
