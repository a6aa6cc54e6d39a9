// SPDX-License-Identifier: Apache-2.0
// The root file system of a bundle: mounted at Create, unmounted at Delete, on every failure between, and by the delete
// command.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::shim {

struct RootfsMount {
  std::string type;
  std::string source;
  std::string target;  // below the rootfs
  std::vector<std::string> options;
};

// All of `mounts` in their order, or none.
Result<void> mount_rootfs(const std::filesystem::path& bundle, const std::vector<RootfsMount>& mounts);
Result<void> unmount_rootfs(const std::filesystem::path& bundle);

}  // namespace ward::shim
