// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/node/kernel_facts.h"

namespace ward::cli::node {
namespace {

constexpr Version kNotifyAddFd{5, 9, 0, false};
constexpr std::uint64_t kFewBytes = std::uint64_t{1} << 30U;

void cgroup_findings(const KernelFacts& facts, Findings& all) {
  switch (facts.cgroups) {
    case Cgroups::kNone:
      all.push_back({Level::kProblem, "cgroups-missing", "cgroups",
                     "no cgroups are mounted at /sys/fs/cgroup",
                     "mount cgroup2 there: no container can be contained without"});
      return;
    case Cgroups::kV1:
      all.push_back({Level::kWarning, "cgroups-v1", "cgroups",
                     "cgroup v1 alone: a quarantine freezes, and does not cut the network",
                     "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 at "
                     "/sys/fs/cgroup/unified"});
      break;
    case Cgroups::kHybrid:
      all.push_back({Level::kOk, "cgroups", "cgroups", "cgroup v1 and v2 side by side", ""});
      break;
    case Cgroups::kV2: {
      std::string missing;
      for (const char* wanted : {"cpu", "memory", "pids"})
        if (std::find(facts.controllers.begin(), facts.controllers.end(), wanted) ==
            facts.controllers.end())
          missing += (missing.empty() ? "" : ", ") + std::string(wanted);
      if (missing.empty()) {
        all.push_back({Level::kOk, "cgroups", "cgroups", "cgroup v2 with its controllers", ""});
      } else {
        all.push_back({Level::kWarning, "cgroup-controllers", "cgroups",
                       "cgroup v2 has no controllers " + missing,
                       "enable them: write them with a + into cgroup.subtree_control, or take "
                       "cgroup_disable= off the kernel's command line"});
      }
    }
  }
  if (!facts.freezer)
    all.push_back({Level::kProblem, "freezer-missing", "cgroups",
                   "nothing here can freeze a container: a quarantine becomes a kill",
                   "mount the freezer of cgroup v1, or use cgroup v2 and Linux 5.2 or later"});
}

void node_findings(const KernelFacts& facts, Findings& all) {
  if (!facts.clock_plausible) {
    all.push_back({Level::kProblem, "clock-wrong", "node", "the clock stands before 2025",
                   "set it: events and evidence bear its times"});
  } else if (!facts.clock_synchronized) {
    all.push_back({Level::kWarning, "clock-unsynchronized", "node",
                   "nobody keeps the clock in time",
                   "run an NTP client: the times of events of several nodes are compared"});
  } else {
    all.push_back({Level::kOk, "clock", "node", "the clock is synchronized", ""});
  }
  if (facts.free_bytes < kFewBytes || facts.free_percent < 5) {
    all.push_back({Level::kWarning, "disk-short", "node",
                   std::to_string(facts.free_bytes >> 20U) + " MiB (" +
                       std::to_string(facts.free_percent) + " %) are free at '" +
                       facts.state.string() + "'",
                   "make room: on a full disk there is no evidence, and no learning"});
  } else {
    all.push_back({Level::kOk, "disk", "node",
                   std::to_string(facts.free_bytes >> 20U) + " MiB are free for the state", ""});
  }
}

}  // namespace

Findings kernel_findings(const KernelFacts& facts) {
  Findings all;
  if (facts.machine != "x86_64")
    all.push_back({Level::kProblem, "machine", "kernel",
                   "the machine is " + facts.machine + ": Ward enforces on x86_64 alone",
                   "leave this node out"});
  if (!facts.notify || facts.version < kNotifyAddFd) {
    all.push_back({Level::kProblem, "notify-missing", "kernel",
                   "Linux " + facts.release + " has no seccomp notification as Ward needs it",
                   "use Linux 5.9 or later with CONFIG_SECCOMP_FILTER: without, no container "
                   "starts in mode enforce"});
  } else {
    all.push_back({Level::kOk, "notify", "kernel",
                   "Linux " + facts.release + " parks calls for seccomp's listener", ""});
  }
  if (facts.btf) {
    all.push_back({Level::kOk, "btf", "kernel", "the kernel describes itself (BTF)", ""});
  } else {
    all.push_back({Level::kWarning, "btf-missing", "kernel",
                   "/sys/kernel/btf/vmlinux cannot be read: nothing is recorded here",
                   "use a kernel with CONFIG_DEBUG_INFO_BTF: enforcement holds without, learning "
                   "does not"});
  }
  if (!facts.bpf_file_system)
    all.push_back({Level::kWarning, "bpf-file-system", "kernel",
                   "no BPF file system is mounted at /sys/fs/bpf: a recording ends with wardd",
                   "mount -t bpf bpf /sys/fs/bpf"});
  if (facts.lsms.empty()) {
    all.push_back({Level::kNote, "lsms-unknown", "kernel",
                   "/sys/kernel/security is not mounted: which security modules run is not known",
                   "mount -t securityfs securityfs /sys/kernel/security"});
  } else {
    all.push_back({Level::kOk, "lsms", "kernel", "security modules: " + facts.lsms, ""});
  }
  cgroup_findings(facts, all);
  node_findings(facts, all);
  return all;
}

}  // namespace ward::cli::node
