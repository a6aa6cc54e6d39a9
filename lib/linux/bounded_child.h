// SPDX-License-Identifier: Apache-2.0
// Work on what somebody else wrote, that may never end or take all memory: done in a copy of this
// process, which is ended at a bound. What it allocated goes with it. The caller waits; it has one
// thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "lib/base/result.h"

namespace ward {

struct Bounds {
  std::chrono::milliseconds processor_time{500};
  std::chrono::milliseconds wall_time{900};            // the caller's others wait for so long
  std::size_t memory_bytes = std::size_t{256} << 20U;  // allocated on top of what the process has
  std::size_t result_bytes = std::size_t{64} << 10U;
};

// What `work` returns. kDeadlineExceeded where it was ended at a bound, kUnavailable where it was
// ended by the clock with less than half of its processor time spent (asked again it may be done),
// kResourceExhausted where its result is larger than agreed, kInternal where it died of something
// else.
Result<std::string> run_in_bounded_child(const std::function<std::string()>& work,
                                         const Bounds& bounds);

}  // namespace ward
