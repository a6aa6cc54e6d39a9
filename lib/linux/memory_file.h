// SPDX-License-Identifier: Apache-2.0
// A file in memory that a child can be given: what it shall read, or a place to write to. Source:
// memfd_create(2)
#pragma once

#include <string_view>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

// Holds `content` and stands at its beginning.
Result<UniqueFd> make_memory_file(const char* name, std::string_view content = {});

}  // namespace ward
