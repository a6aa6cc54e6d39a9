// SPDX-License-Identifier: Apache-2.0
// A file that is read in part, and whose damage shows in the part that is read: a magic word, a
// checksum for each block of the content, then the content. Values in the file are little-endian,
// as the machines are. Reads with pread: a mapped file that somebody cuts short would end the
// reader with SIGBUS, and with a shim its pod.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::filter {

inline constexpr std::size_t kMagicBytes = 16;

std::string seal_blocks(std::string_view magic, std::string_view content);

class BlockFile {
 public:
  // kInvalidArgument: another magic, or damaged; kResourceExhausted: larger than max_bytes.
  static Result<BlockFile> open(UniqueFd fd, std::string_view magic, std::size_t max_bytes);

  [[nodiscard]] std::uint64_t size() const { return size_; }

  // Points into memory of this object. kInvalidArgument where that is not all there, or damaged.
  Result<std::string_view> read(std::uint64_t offset, std::uint64_t length);
  Result<std::uint32_t> read_number(std::uint64_t offset);

 private:
  BlockFile() = default;
  Result<void> load(std::uint64_t block);

  UniqueFd fd_;
  std::uint64_t content_at_ = 0;
  std::uint64_t size_ = 0;
  std::string checksums_;
  std::unique_ptr<char[]> content_;  // filled block by block; what is never read costs no memory
  std::vector<bool> loaded_;
};

}  // namespace ward::filter
