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
  bool loop = false;              // the source is an image file
  std::string uid_map;  // ranges CONTAINER:HOST:SIZE that the owners of files are shown by
  std::string gid_map;
  std::string data;  // what the file system itself reads, comma separated
  bool operator==(const MountOptions&) const = default;
};

// Pure. Words that are no flag are data; "x-..." and "X-..." are notes of programs to themselves
// and are dropped.
MountOptions parse_mount_options(const std::vector<std::string>& words);

// Pure: overlay's data with the layers of lowerdir written relative to the directory that all of
// them are in. The kernel reads one page of data and no more; with some dozen layers of long paths
// the rest would be cut off. Nothing is changed where there is no such directory.
struct ShortenedData {
  std::string directory;  // to be in while mounting; empty where nothing was changed
  std::string data;
};
ShortenedData shorten_lower_directories(const std::string& data);

// "loop" among the options mounts an image file through a loop device that goes with the mount;
// "uidmap=" and "gidmap=" show its files with other owners, of an overlay those of its lower
// layers: the upper one is the container's own. Not for a program with several threads: it may
// change its working directory for the moment of the call.
Result<void> mount_at(const std::string& type, const std::string& source,
                      const std::filesystem::path& target, const std::vector<std::string>& options);

// Everything mounted at or below `path`, stacked mounts too; a busy mount is detached lazily.
// Nothing mounted is success.
Result<void> unmount_tree(const std::filesystem::path& path);

// Where `below` leads inside `root`, with every symbolic link and ".." resolved as if `root` were
// "/": a link in an image must not lead a mount out of it. kNotFound where it is not there.
Result<std::filesystem::path> resolve_inside(const std::filesystem::path& root,
                                             const std::filesystem::path& below);

// Pure: the mount points at or below `path`, deepest and latest first, from the text of
// /proc/self/mountinfo.
std::vector<std::string> find_mounts_below(std::string_view mountinfo, std::string_view path);

}  // namespace ward
