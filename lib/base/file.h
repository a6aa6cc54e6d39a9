// SPDX-License-Identifier: Apache-2.0
// Whole small files: read with a cap, written atomically (temporary file, fsync, rename, fsync of
// the directory).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward {

// kNotFound where there is none, kResourceExhausted where it is larger than max_bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes = 4U << 20U);

// For a path that somebody else chose: kInvalidArgument where it is no regular file, and no FIFO
// makes us wait.
Result<std::string> read_regular_file(const std::filesystem::path& path,
                                      std::size_t max_bytes = 4U << 20U);

enum class Durability {
  kNone,
  kSync
};  // kSync: fsync of file and directory; kNone: atomic against readers only

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content,
                                   mode_t mode = 0600, Durability durability = Durability::kSync);

}  // namespace ward
