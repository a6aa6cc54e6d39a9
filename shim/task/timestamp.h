// SPDX-License-Identifier: Apache-2.0
// Wall time as containerd's messages carry it.
#pragma once

#include <cstdint>

#include "containerd/types.pb.h"

namespace ward::shim::task {

inline void set_timestamp(containerd::Timestamp* timestamp, std::int64_t wall_ns) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  timestamp->set_seconds(wall_ns / kNsPerSecond);
  timestamp->set_nanos(static_cast<std::int32_t>(wall_ns % kNsPerSecond));
}

}  // namespace ward::shim::task
