// SPDX-License-Identifier: Apache-2.0
// Where a process's cgroups are: parsed from /proc/<pid>/cgroup and from mountinfo, on v1, hybrid
// and v2 hosts. cgroup.h opens what is found here. Source: cgroups(7) "/proc files",
// Documentation/admin-guide/cgroup-v2.rst
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward {

// Mount points; empty where the host has none. `*_root` is the part of the hierarchy the mount
// shows ("/" mostly).
struct CgroupMounts {
  std::filesystem::path unified;
  std::string unified_root;
  std::filesystem::path freezer;
  std::string freezer_root;
  std::vector<std::filesystem::path> all;  // every hierarchy's
  // One is mounted with favordynmods, which holds for all: moving a process never waits for an RCU
  // grace period.
  bool favor_moves = false;
};
CgroupMounts parse_cgroup_mounts(std::string_view mountinfo);

// The mounts of the calling process, asked of the kernel, but for those that another mount covers.
// Each container of a node is a mount as well, with a long line of its own: no more of the table is
// read than it takes to find every hierarchy there is.
Result<CgroupMounts> read_cgroup_mounts(const std::filesystem::path& proc = "/proc");

// Paths within the hierarchies, "/a/b"; empty where the process has none there.
struct CgroupMembership {
  std::string unified;
  std::string freezer;
};
CgroupMembership parse_cgroup_membership(std::string_view proc_pid_cgroup);

// The directory of `member` below a mount; empty when the mount does not show it.
std::filesystem::path cgroup_directory(const std::filesystem::path& mount, std::string_view root,
                                       std::string_view member);

// Is `inner` the cgroup `outer` or below it? "/a" contains "/a/b" but not "/ab".
bool cgroup_contains(std::string_view outer, std::string_view inner);

}  // namespace ward
