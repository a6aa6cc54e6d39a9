// SPDX-License-Identifier: Apache-2.0
// How the runtime that will load a filter differs from others of its kind: asked of its binary.
#pragma once

#include <filesystem>

#include "lib/base/result.h"
#include "profiles/filter/runtime_filter.h"

namespace ward::shim::admission {

// `--version` of the binary, once for each that this process meets (a binary that was replaced is
// another one): some ten milliseconds, in a child with bounds. What does not answer is taken for a
// new runc; kUnavailable where it has not answered in time, as on a busy node.
Result<filter::RuntimeHabits> read_runtime_habits(const std::filesystem::path& binary);

}  // namespace ward::shim::admission
