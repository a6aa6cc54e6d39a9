// SPDX-License-Identifier: Apache-2.0
// The gate before every change of containerd's configuration: what containerd makes of it before
// and after may differ by the table of Ward's handler and by nothing else. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/node/settings.h"

namespace ward::cli::node {

struct Difference {
  std::string key;     // as TOML writes it
  std::string before;  // empty: not there
  std::string after;
  KeyPath path;
};

// `imports` is left out: containerd names itself there, and never a setting.
std::vector<Difference> differences(const Settings& before, const Settings& after);

// Those that are not in the table `ours`.
std::vector<Difference> besides(const std::vector<Difference>& all, const KeyPath& ours);

// A line each: "- key = value" went, "+ key = value" came; a changed one is both.
std::string difference_text(const std::vector<Difference>& differences);

// Where containerd's own dump has its runtimes: plugins."...".containerd.runtimes, by what it
// calls the plugin. Empty where the CRI plugin is not in it.
KeyPath runtimes_in_dump(const Settings& dump);
// The same in a file of this version.
KeyPath runtimes_in_file(int version);

KeyPath joined(KeyPath above, const std::string& key);

// The names of runtimes that `before` has and `after` has not: containerd 1.x drops its built-in
// ones as soon as a file names any.
std::vector<std::string> lost_runtimes(const Settings& before, const Settings& after);

}  // namespace ward::cli::node
