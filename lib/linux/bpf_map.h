// SPDX-License-Identifier: Apache-2.0
// Entries of a pinned BPF hash map, by the bare bpf(2) call: for a process that links no libbpf.
// Source: bpf(2)
#pragma once

#include <cstdint>
#include <filesystem>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

class BpfMap {
 public:
  // kNotFound where nothing is pinned there; kFailedPrecondition where it is no map of these sizes
  // (the kernel copies as many bytes as the map has, whatever the caller meant).
  static Result<BpfMap> open(const std::filesystem::path& pin, std::uint32_t key_bytes,
                             std::uint32_t value_bytes);

  Result<void> put(const void* key, const void* value) const;
  Result<void> erase(const void* key) const;

 private:
  explicit BpfMap(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace ward
