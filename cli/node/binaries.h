// SPDX-License-Identifier: Apache-2.0
// Ward's programs under one stable path. A running shim keeps the file that it began with, and
// containerd starts by the path again: so a program is replaced by rename, and the path never goes
// while a bundle names it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::cli::node {

inline constexpr const char* kShim = "containerd-shim-ward-v1";

// Where `ward` itself runs from.
std::filesystem::path own_folder();

// Those of shim, ward-inspect, wardd and ward that stand in a folder.
std::vector<std::string> programs_in(const std::filesystem::path& folder);

// What `shim -v` says; kFailedPrecondition where it cannot run here.
Result<std::string> shim_version(const std::filesystem::path& shim);

bool same_bytes(const std::filesystem::path& one, const std::filesystem::path& other);

// Copies, and keeps what was there for put_back() until forget_before(). False: it was the same
// already.
Result<bool> put_program(const std::filesystem::path& source, const std::filesystem::path& target);
// What was there before; nothing, where there was nothing.
void put_back(const std::filesystem::path& target);
void forget_before(const std::filesystem::path& target);

struct ShimUse {
  std::vector<std::string> bundles;  // namespace/id whose shim-binary-path it is
  std::vector<pid_t> current;        // shims that run this very file
  std::vector<pid_t> older;          // shims that run one that stood at its path before
  std::string unknown;               // why there may be more of them; empty: there are not
  [[nodiscard]] bool any() const {
    return !bundles.empty() || !current.empty() || !older.empty() || !unknown.empty();
  }
};
// `state` is containerd's (state_of).
ShimUse find_use(const std::filesystem::path& shim, const std::filesystem::path& state);

}  // namespace ward::cli::node
