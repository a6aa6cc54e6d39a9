// SPDX-License-Identifier: Apache-2.0
#include "enforcer/storm/storm_count.h"

#include <algorithm>
#include <chrono>

namespace ward::enforcer {

bool StormCount::add(const std::string& workload, const std::string& pod, std::int64_t wall_ns,
                     const node::v1::StormGuard& guard) {
  if (guard.after() == 0) return false;
  if (!by_workload_.contains(workload) && by_workload_.size() >= kMaxWorkloads) {
    by_workload_.erase(std::min_element(
        by_workload_.begin(), by_workload_.end(),
        [](const auto& a, const auto& b) { return a.second.newest_ns < b.second.newest_ns; }));
  }
  auto& [by_pod, newest_ns] = by_workload_[workload];
  newest_ns = wall_ns;
  by_pod[pod].push_back(wall_ns);
  // What the clock, set back, has in the future counts as now.
  const std::int64_t since =
      wall_ns - std::chrono::nanoseconds(std::chrono::seconds(guard.within_s())).count();
  std::size_t times = 0;
  for (auto& [name, lately] : by_pod) {
    while (!lately.empty() && lately.front() < since) lately.pop_front();
    times += lately.size();
  }
  std::erase_if(by_pod, [](const auto& one) { return one.second.empty(); });
  // No more than count are kept, of as many pods as there are.
  for (; times > guard.after(); --times) {
    const auto most = std::max_element(
        by_pod.begin(), by_pod.end(),
        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    most->second.pop_front();
    if (most->second.empty()) by_pod.erase(most);
  }
  return times >= guard.after() && by_pod.size() >= guard.pods();
}

}  // namespace ward::enforcer
