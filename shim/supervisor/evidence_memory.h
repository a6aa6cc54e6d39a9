// SPDX-License-Identifier: Apache-2.0
// What the offending thread shows while it stands: the call with its arguments, the strings behind
// its pointers, its stack and what is mapped. Memory is evidence of what was there when it was
// read; another process may have written to it since the call was made. For .cc files of evidence
// only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "shim/supervisor/evidence_json.h"
#include "shim/supervisor/evidence_request.h"

namespace ward::shim::supervisor {

struct Mapping {
  std::uint64_t start = 0, end = 0, offset = 0;
  std::string permissions;  // "r-xp"
  std::string device;       // "08:01"
  std::string inode;
  std::string path;  // raw
};
// At most kMaxMappings that are executable, and as many others.
std::vector<Mapping> parse_maps(const std::string& text);
inline constexpr std::size_t kMaxMappings = 4096;

struct ParkedThread {
  bool known = false;  // false: it runs, or is gone
  std::uint64_t sp = 0, pc = 0;
};
ParkedThread read_parked(pid_t tid, const std::filesystem::path& proc);

enum class Pointers { kLeave, kFollow };
// `call` of evidence.json.
Json call_of(const EvidenceRequest& request, const ParkedThread& thread, Pointers pointers);

// `stack` of evidence.json: the program counter, then words on the stack that point into
// executable mappings. Those are return addresses or look like them; nothing is unwound.
Json stack_of(const EvidenceRequest& request, const ParkedThread& thread,
              const std::vector<Mapping>& maps);

}  // namespace ward::shim::supervisor
