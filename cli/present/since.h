// SPDX-License-Identifier: Apache-2.0
// A moment as people write it: "10m" ago (s, m, h, d), "2026-11-23T18:43:01Z" as JSON has it,
// "2026-11-23 18:43:01" or "2026-11-23" in local time, as `ward events` shows it.
#pragma once

#include <cstdint>
#include <string>

#include "lib/base/result.h"

namespace ward::cli {

Result<std::int64_t> parse_since(const std::string& text, std::int64_t now_wall_ns);

}  // namespace ward::cli
