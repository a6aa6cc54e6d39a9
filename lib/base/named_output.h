// SPDX-License-Identifier: Apache-2.0
// Output to a path that a person names, which may be anything: a regular file is replaced
// atomically (behind a symbolic link the file it points to, so that the link stays); a device, pipe
// or socket is written to and never replaced.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

#include "lib/base/result.h"

namespace ward {

Result<void> write_named_output(const std::filesystem::path& path, std::string_view content,
                                mode_t mode);

}  // namespace ward
