// SPDX-License-Identifier: Apache-2.0
// The root file system of a bundle: mounted at Create, unmounted at Delete, on every failure
// between, and by the delete command.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::shim::task {

struct RootfsMount {
  std::string type;
  std::string source;
  std::string target;  // below the rootfs
  std::vector<std::string> options;
};

// All of `mounts` in their order, or none.
Result<void> mount_rootfs(const std::filesystem::path& bundle,
                          const std::vector<RootfsMount>& mounts);

// Which image it is, as far as that shows without a name: a digest of where its layers lie on this
// node. Two containers of one image have the same, and two images with different content never.
// Empty where the mounts do not say.
std::string digest_of_layers(const std::vector<RootfsMount>& mounts);

Result<void> unmount_rootfs(const std::filesystem::path& bundle);

}  // namespace ward::shim::task
