// SPDX-License-Identifier: Apache-2.0
#include "enforcer/storm/storm_count.h"

#include <algorithm>
#include <chrono>

namespace ward::enforcer {

bool StormCount::add(const std::string& workload, const std::string& pod, std::int64_t wall_ns,
                     const node::v1::StormGuard& guard) {
  if (guard.after() == 0) return false;
  if (!by_workload_.contains(workload) && by_workload_.size() >= kMaxWorkloads) {
    by_workload_.erase(std::min_element(by_workload_.begin(), by_workload_.end(),
                                        [](const auto& a, const auto& b) {
                                          return a.second.back().wall_ns < b.second.back().wall_ns;
                                        }));
  }
  auto& lately = by_workload_[workload];
  lately.push_back({wall_ns, pod});
  // No more than count are kept. What the clock, set back, has in the future counts as now.
  const std::int64_t since =
      wall_ns - std::chrono::nanoseconds(std::chrono::seconds(guard.within_s())).count();
  while (lately.size() > guard.after() || lately.front().wall_ns < since) lately.pop_front();
  if (lately.size() < guard.after()) return false;
  std::set<std::string_view> pods;
  for (const One& one : lately) pods.insert(one.pod);
  return pods.size() >= guard.pods();
}

bool PlacesSeen::add(const std::string& workload, const std::string& pod, std::int64_t wall_ns,
                     const node::v1::StormGuard& guard) {
  // Guards are few (ProfileStore::kMaxCalmed), and what has ended is forgotten with its storm.
  if (!by_workload_.contains(workload) && by_workload_.size() >= StormCount::kMaxWorkloads)
    by_workload_.clear();
  auto& places = by_workload_[workload];
  if (places.contains(pod) || places.size() < kMaxPlaces) places[pod] = wall_ns;
  const std::int64_t since =
      wall_ns - std::chrono::nanoseconds(std::chrono::seconds(guard.within_s())).count();
  std::erase_if(places, [since](const auto& place) { return place.second < since; });
  return places.size() >= guard.pods();
}

void StormCount::forget(const std::string& workload) { by_workload_.erase(workload); }

}  // namespace ward::enforcer
