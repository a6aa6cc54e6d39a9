// SPDX-License-Identifier: Apache-2.0
// The two clocks Ward uses: deadlines and durations are monotonic, records carry wall time.
#pragma once

#include <cstdint>

namespace ward {

std::int64_t monotonic_ns();  // CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns
std::int64_t wall_ns();       // CLOCK_REALTIME, nanoseconds since 1970

}  // namespace ward
