// SPDX-License-Identifier: Apache-2.0
// What containerd would make of a configuration, asked of containerd itself on copies beside the
// files, before anything is changed. Used by plans; whoever does holds the lock of the node.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cli/node/containerd.h"
#include "cli/node/record.h"
#include "cli/node/settings.h"
#include "lib/base/result.h"

namespace ward::cli::node {

// What it reads now. kFailedPrecondition: it would not start again.
Result<Settings> dump_now(const Daemon& daemon);

Settings without_handler(Settings dump, const std::string& handler);

// The text with a list of imports that names the files themselves, in the order in which containerd
// takes those of a folder: `staged` in the place of `ours`, or neither where it is empty.
std::string with_imports(const std::string& text, const Imports& imports,
                         const std::filesystem::path& ours, const std::filesystem::path& staged);

struct Trial {
  const Daemon& daemon;
  Way way = Way::kNone;
  std::filesystem::path written;
  std::string base;                // the main file, without Ward's part
  std::optional<Imports> imports;  // of `base`
  std::string rest;                // the file with Ward's part, without it
  bool alone = false;              // and with nothing else in it

  // The reading where Ward's part is `block`; nothing: where there is none.
  [[nodiscard]] Result<Settings> read(const std::optional<std::string>& block) const;
};

}  // namespace ward::cli::node
