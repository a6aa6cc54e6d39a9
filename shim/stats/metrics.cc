// SPDX-License-Identifier: Apache-2.0
#include "shim/stats/metrics.h"

#include <algorithm>
#include <initializer_list>

namespace ward::shim::stats {
namespace {

bool is_there(const std::filesystem::path& directory) {
  std::error_code error;
  return !directory.empty() && std::filesystem::is_directory(directory, error);
}

template <typename Message>
containerd::Any any_of(const char* type, const Message& message) {
  containerd::Any any;
  any.set_type_url(type);
  any.set_value(message.SerializeAsString());
  return any;
}

}  // namespace

Result<containerd::Any> read_metrics(const CgroupHierarchies& hierarchies,
                                     std::string_view membership) {
  if (hierarchies.is_unified()) {
    const auto directory = hierarchies.find("", membership);
    if (!is_there(directory)) return fail(Code::kNotFound, "cgroup does not exist");
    return any_of("io.containerd.cgroups.v2.Metrics", read_metrics_v2(directory));
  }
  ControllerDirectories at;
  at.memory = hierarchies.find("memory", membership);
  at.cpu = hierarchies.find("cpu", membership);
  at.cpuacct = hierarchies.find("cpuacct", membership);
  at.pids = hierarchies.find("pids", membership);
  at.blkio = hierarchies.find("blkio", membership);
  at.hugetlb = hierarchies.find("hugetlb", membership);
  const auto all = {&at.memory, &at.cpu, &at.cpuacct, &at.pids, &at.blkio, &at.hugetlb};
  if (std::none_of(all.begin(), all.end(),
                   [](const auto* directory) { return is_there(*directory); })) {
    return fail(Code::kNotFound, "cgroup does not exist");
  }
  return any_of("io.containerd.cgroups.v1.Metrics", read_metrics_v1(at));
}

}  // namespace ward::shim::stats
