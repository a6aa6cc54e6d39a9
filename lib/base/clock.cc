// SPDX-License-Identifier: Apache-2.0
#include "lib/base/clock.h"

#include <ctime>

namespace ward {
namespace {

std::int64_t now_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

std::int64_t monotonic_ns() { return now_ns(CLOCK_MONOTONIC); }
std::int64_t wall_ns() { return now_ns(CLOCK_REALTIME); }

}  // namespace ward
