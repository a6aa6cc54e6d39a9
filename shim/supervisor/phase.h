// SPDX-License-Identifier: Apache-2.0
// Which phase the tasks behind one listener are in: runtime -> boot -> serving for a workload,
// runtime -> exec for an exec session. Never goes back. Values in, values out: the owner tells it
// what it saw and when, and asks when to look again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "profiles/filter/terms.h"

namespace ward::shim::supervisor {

using filter::Origin;
using filter::Phase;

// Monotonic nanoseconds throughout.
class PhaseTracker {
 public:
  // `quiet`: without a boot-only call for so long, boot is over. `latest`: over at the latest so
  // long after its begin. Zero or less means the default (10 s, 5 min).
  PhaseTracker(Origin origin, std::chrono::nanoseconds quiet, std::chrono::nanoseconds latest);

  [[nodiscard]] Phase current() const { return phase_; }

  // An execve was let run. The first one replaces the runtime by the container's program.
  void execve_continued(std::int64_t now_ns);
  // A call was allowed that only boot allows.
  void boot_call_seen(std::int64_t now_ns);

  // When advance() may change something; nothing when no timer runs.
  [[nodiscard]] std::optional<std::int64_t> next_change_ns() const;
  bool advance(std::int64_t now_ns);  // true when the phase changed

 private:
  Origin origin_;
  std::int64_t quiet_ns_;
  std::int64_t latest_ns_;
  Phase phase_ = Phase::kRuntime;
  std::int64_t boot_began_ns_ = 0;
  std::int64_t last_boot_call_ns_ = 0;
};

}  // namespace ward::shim::supervisor
