// SPDX-License-Identifier: Apache-2.0
// Waits for a cgroup's state in a test: frozen, or empty.
#pragma once

#include <poll.h>

#include <chrono>

#include "lib/linux/cgroup.h"

namespace ward::test {

// False at the deadline. The unified hierarchy announces a change through cgroup.events; the v1
// freezer announces nothing, and is asked again every millisecond. `holds` may act too, as long as
// it is needed.
template <typename Predicate>
bool await_cgroup(const Cgroup& cgroup, Predicate holds,
                  std::chrono::seconds patience = std::chrono::seconds(5)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto events = cgroup.open_events();
  while (!holds()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd changed{events ? events->get() : -1, POLLPRI, 0};
    (void)::poll(&changed, 1, events ? static_cast<int>(left.count()) : 1);
  }
  return true;
}

inline bool await_frozen(const Cgroup& cgroup) {
  return await_cgroup(cgroup, [&] { return cgroup.is_frozen().value_or(false); });
}

}  // namespace ward::test
