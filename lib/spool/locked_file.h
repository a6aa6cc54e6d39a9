// SPDX-License-Identifier: Apache-2.0
// Opening the files of this folder: regular, locked (flock), and still what the path names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

struct LockedFile {
  UniqueFd file;
  std::uint64_t size = 0;
};

// `flags` for open(2); `what` names it in errors. kFailedPrecondition: another process holds it. A
// reader opens O_RDONLY: whoever watches the directory is told when a writer closes, not when it
// looked itself.
Result<LockedFile> open_locked(const std::filesystem::path& path, int flags,
                               const std::string& what);

// Is it still the file that the path names? Who holds one that was removed, or moved away with its
// directory, may write on, and nobody will ever read it. What cannot be told counts as yes.
bool is_named(const UniqueFd& file, const std::filesystem::path& path);

// 0700, with what is above it, where absent.
Result<void> make_spool_directory(const std::filesystem::path& directory);

}  // namespace ward
