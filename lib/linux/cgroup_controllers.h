// SPDX-License-Identifier: Apache-2.0
// Where each controller of a container is: one directory for each on cgroup v1 and on hybrid hosts,
// one for all on v2. For reading what the kernel counts there; freezing and killing is cgroup.h's.
// Source: cgroups(7) "/proc files"
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward {

// The mounts of the host. They do not change while a node runs, so one reading serves a process's
// life.
class CgroupHierarchies {
 public:
  static CgroupHierarchies parse(std::string_view mountinfo);
  static Result<CgroupHierarchies> read(const std::filesystem::path& proc = "/proc");

  // No controller is mounted on v1, so all that there are belong to cgroup2.
  [[nodiscard]] bool is_unified() const;

  // The directory of `controller` ("memory") for a process, by the text of its /proc/<pid>/cgroup.
  // Empty where it has none, and also for the root of a hierarchy: what is counted there is the
  // node's and no container's.
  [[nodiscard]] std::filesystem::path find(std::string_view controller,
                                           std::string_view membership) const;

 private:
  struct Hierarchy {
    std::string controllers;  // "cpu,cpuacct"; empty: cgroup2
    std::string mount;
    std::string root;
  };
  std::vector<Hierarchy> hierarchies_;
};

// /proc/<pid>/cgroup, whole.
Result<std::string> read_cgroup_membership(pid_t pid, const std::filesystem::path& proc = "/proc");

}  // namespace ward
