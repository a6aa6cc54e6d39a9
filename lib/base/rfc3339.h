// SPDX-License-Identifier: Apache-2.0
// A moment as logs and JSON have it.
#pragma once

#include <cstdint>
#include <string>

namespace ward {

// "2026-11-23T18:43:01.123456789Z", of nanoseconds since 1970.
std::string format_rfc3339(std::int64_t wall_ns);

}  // namespace ward
