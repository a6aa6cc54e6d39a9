// SPDX-License-Identifier: Apache-2.0
// What an evidence directory holds and how it is taken. Runs in a process of its own (see
// evidence.h): it may hang on the container's memory and is killed then. Everything read is bounded
// and escaped; of arguments and environment only what redaction.h names is kept, unless the node's
// settings ask for all of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

struct EvidenceLimits {
  std::size_t max_bytes = 8U << 20U;
  std::size_t max_files = 16;
  std::size_t max_processes = 128;
  bool full = false;  // keep values
};

struct EvidenceRequest {
  std::filesystem::path directory;  // exists, 0700
  node::v1::Violation violation;
  std::string cgroup;
  std::vector<pid_t> processes;  // of the container
  EvidenceLimits limits;
  std::filesystem::path proc = "/proc";
};

// Writes evidence.json, mounts.txt, sockets.txt and, last, SHA256SUMS: a directory without it is
// incomplete.
Result<void> write_evidence(const EvidenceRequest& request);

}  // namespace ward::shim::supervisor
