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

// What CRI calls the runtime that a shim of Ward's is.
inline constexpr const char* kRuntimeType = "io.containerd.ward.v1";

// The settings that make the node's default runtime out of the handler: where it goes, CRI does not
// start any more, and containerd's own dump does not say so.
std::vector<std::string> defaults_to(const Settings& dump, const std::string& handler);
// Those of old versions that do so by the type of the runtime, whatever the handler is called.
std::vector<std::string> defaults_by_type(const Settings& dump);

// The names of Ward's handlers in it.
std::vector<std::string> ward_handlers(const Settings& dump);
bool has_runtime(const Settings& dump, const std::string& handler);

// The names of runtimes that `before` has and `after` has not: containerd 1.x drops its built-in
// ones as soon as a file names any.
std::vector<std::string> lost_runtimes(const Settings& before, const Settings& after);

}  // namespace ward::cli::node
