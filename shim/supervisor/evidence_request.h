// SPDX-License-Identifier: Apache-2.0
// What is asked of a collector of evidence, and within which limits.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "profiles/filter/seccomp_intersect.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

struct EvidenceLimits {
  std::size_t max_bytes = 8U << 20U;
  std::size_t max_files = 16;
  std::size_t max_processes = 128;
  bool full = false;  // keep values
};

struct TimelineEntry {
  std::int64_t at_ns = 0;  // monotonic
  std::string what;
};

struct EvidenceRequest {
  // By which the offender's memory, maps and descriptors are read: a first thread that has ended
  // shows none, and the others share its.
  [[nodiscard]] pid_t thread() const {
    return violation.tid() > 0 ? violation.tid() : violation.pid();
  }

  std::filesystem::path directory;  // 0700; exists when the bundle is written, not before
  node::v1::Violation violation;
  std::string cgroup;
  std::vector<pid_t> processes;  // of the container
  std::filesystem::path bundle;  // of the runtime; empty: not known
  filter::CallTable calls;       // what its profile allows
  std::vector<TimelineEntry> timeline;
  // Reading ends then, and what is missing is said.
  std::chrono::nanoseconds reading{std::chrono::seconds(4)};
  EvidenceLimits limits;
  std::filesystem::path proc = "/proc";
};

}  // namespace ward::shim::supervisor
