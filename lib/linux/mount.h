// SPDX-License-Identifier: Apache-2.0
// mount(2) by fstab words, and unmounting a tree. Says nothing of rootfs or bundles.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward {

struct MountOptions {
  unsigned long flags = 0;        // MS_*
  unsigned long propagation = 0;  // MS_SHARED, ... (with MS_REC), needs a call of its own
  std::string data;               // what the file system itself reads, comma separated
  bool operator==(const MountOptions&) const = default;
};

// Pure. Words that are no flag are data.
MountOptions parse_mount_options(const std::vector<std::string>& words);

Result<void> mount_at(const std::string& type, const std::string& source, const std::filesystem::path& target,
                      const std::vector<std::string>& options);

// Everything mounted at or below `path`, stacked mounts too; a busy mount is detached lazily. Nothing mounted is
// success.
Result<void> unmount_tree(const std::filesystem::path& path);

// Pure: the mount points at or below `path`, deepest and latest first, from the text of /proc/self/mountinfo.
std::vector<std::string> find_mounts_below(std::string_view mountinfo, std::string_view path);

}  // namespace ward
