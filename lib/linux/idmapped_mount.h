// SPDX-License-Identifier: Apache-2.0
// Mounts that show their files with other owners than the disk has: what a pod with a user
// namespace of its own gets instead of a copy of its image. A mount is cloned, given the ids while
// nobody sees it, and attached; which mounts and where is mount.h's business. Source:
// mount_setattr(2) MOUNT_ATTR_IDMAP, open_tree(2), move_mount(2), Linux 5.12
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

// Pure: "0:100000:65536,70000:5:1" (what the disk says, what is shown, how many) as
// /proc/<pid>/uid_map wants it, a line for each range. kInvalidArgument names the range that is
// none.
Result<std::string> parse_id_map(std::string_view ranges);

// A user namespace that nobody is in, for its two maps; a child lives in it only until they are
// written. Not for a program that waits for any child in another thread.
Result<UniqueFd> make_user_namespace(const std::string& uid_map, const std::string& gid_map);

enum class MountTree { kOne, kWithAllBelow };

// The mount that `path` is in, from there on, attached nowhere: it is gone when it is closed.
Result<UniqueFd> clone_mount(const std::filesystem::path& path, MountTree tree);

// Only of a clone that was not attached yet, and of a file system that knows how.
Result<void> map_ids(const UniqueFd& clone, const UniqueFd& user_namespace, MountTree tree);

Result<void> attach_mount(const UniqueFd& clone, const std::filesystem::path& target);

}  // namespace ward
