// SPDX-License-Identifier: Apache-2.0
// The recorder's objects as files below one directory of a bpf file system, so that they outlive
// the process.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "enforcer/recorder/kernel_side.h"
#include "lib/base/result.h"

namespace ward::recorder {

// All or nothing; the directory is made where it is missing (not its parents).
Result<void> pin(KernelSide& kernel, const std::filesystem::path& directory);

// Absent where nothing is pinned. An error where what is there is incomplete or of another layout:
// remove it.
Result<std::optional<KernelSide>> find_pinned(const std::filesystem::path& directory);

// Removes our files and the directory; files of other names stay. With the last reference the
// programs are detached.
void unpin(const std::filesystem::path& directory);

}  // namespace ward::recorder
