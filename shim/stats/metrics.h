// SPDX-License-Identifier: Apache-2.0
// What Stats answers: the numbers that the kernel counts for a container, read from its cgroups (no
// runtime is asked, and a frozen container has them too) in the message that belongs to the node's
// cgroup mode. A controller or file that a kernel does not have is left out.
#pragma once

#include <filesystem>
#include <string_view>

#include "containerd/metrics_v1.pb.h"
#include "containerd/metrics_v2.pb.h"
#include "containerd/types.pb.h"
#include "lib/base/result.h"
#include "lib/linux/cgroup_controllers.h"

namespace ward::shim::stats {

// `membership`: the text of /proc/<pid>/cgroup of the container's init. kNotFound "cgroup does not
// exist" where that is the root of every hierarchy, or gone.
Result<containerd::Any> read_metrics(const CgroupHierarchies& hierarchies,
                                     std::string_view membership);

// The directory of each v1 controller; an empty one is left out of the answer.
struct ControllerDirectories {
  std::filesystem::path memory, cpu, cpuacct, pids, blkio, hugetlb;
};
containerd::cgroup1::Metrics read_metrics_v1(const ControllerDirectories& at);

containerd::cgroup2::Metrics read_metrics_v2(const std::filesystem::path& cgroup);

}  // namespace ward::shim::stats
