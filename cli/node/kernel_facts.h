// SPDX-License-Identifier: Apache-2.0
// What the kernel and the machine offer, by looking.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/node/finding.h"
#include "cli/node/version.h"
#include "lib/base/places.h"

namespace ward::cli::node {

enum class Cgroups { kNone, kV1, kHybrid, kV2 };

struct KernelFacts {
  std::string release;
  Version version;
  std::string machine;
  bool btf = false;
  bool notify = false;  // seccomp's user notification
  Cgroups cgroups = Cgroups::kNone;
  std::vector<std::string> controllers;  // of cgroup v2
  bool freezer = false;
  bool bpf_file_system = false;
  std::string lsms;  // empty: not known
  bool clock_synchronized = false;
  bool clock_plausible = true;
  std::uint64_t free_bytes = 0;  // where the state is
  int free_percent = 100;
  std::filesystem::path state;
};

KernelFacts read_kernel(const Places& places);

// Pure.
Findings kernel_findings(const KernelFacts& facts);

}  // namespace ward::cli::node
