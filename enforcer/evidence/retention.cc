// SPDX-License-Identifier: Apache-2.0
#include "enforcer/evidence/retention.h"

#include <algorithm>
#include <functional>
#include <map>

namespace ward::enforcer {
namespace {

struct Total {
  std::size_t bundles = 0;
  std::uint64_t bytes = 0;
};

void add(Total& total, const EvidenceBundle& bundle) {
  ++total.bundles;
  total.bytes += bundle.bytes;
}

void take_away(Total& total, const EvidenceBundle& bundle) {
  --total.bundles;
  total.bytes -= bundle.bytes;
}

}  // namespace

std::string_view describe(Why why) {
  switch (why) {
    case Why::kAge: return "older than evidence.maxAge";
    case Why::kShare: return "beyond the quarter that one workload may hold";
    case Why::kNumber: return "beyond the number that is kept";
    case Why::kBytes: return "beyond evidence.maxTotalBytes";
  }
  return "";
}

std::vector<Removal> choose_removals(std::vector<EvidenceBundle> bundles,
                                     const EvidenceLimits& limits, std::int64_t now_wall_ns) {
  std::vector<Removal> removals;
  const auto remove_where = [&](Why why, const std::function<bool(const EvidenceBundle&)>& goes) {
    std::vector<EvidenceBundle> kept;
    for (EvidenceBundle& bundle : bundles) {
      if (goes(bundle)) {
        removals.push_back({std::move(bundle), why});
      } else {
        kept.push_back(std::move(bundle));
      }
    }
    bundles = std::move(kept);
  };
  std::stable_sort(bundles.begin(), bundles.end(),
                   [](const auto& a, const auto& b) { return a.taken_wall_ns < b.taken_wall_ns; });

  const std::int64_t oldest_wall_ns =
      now_wall_ns - std::chrono::nanoseconds(limits.max_age).count();
  remove_where(Why::kAge,
               [&](const EvidenceBundle& bundle) { return bundle.taken_wall_ns < oldest_wall_ns; });

  std::map<std::string, Total> workloads;
  for (const EvidenceBundle& bundle : bundles) add(workloads[bundle.workload], bundle);
  const std::size_t share_bundles =
      std::max<std::size_t>(1, limits.max_bundles / kShareOfOneWorkload);
  const std::uint64_t share_bytes = limits.max_total_bytes / kShareOfOneWorkload;
  remove_where(Why::kShare, [&](const EvidenceBundle& bundle) {
    Total& held = workloads[bundle.workload];
    const bool too_much =
        held.bundles > share_bundles || (held.bytes > share_bytes && held.bundles > 1);
    if (too_much) take_away(held, bundle);
    return too_much;
  });

  Total all;
  for (const EvidenceBundle& bundle : bundles) add(all, bundle);
  remove_where(Why::kNumber, [&](const EvidenceBundle& bundle) {
    const bool too_many = all.bundles > limits.max_bundles;
    if (too_many) take_away(all, bundle);
    return too_many;
  });
  remove_where(Why::kBytes, [&](const EvidenceBundle& bundle) {
    const bool too_large = all.bytes > limits.max_total_bytes;
    if (too_large) take_away(all, bundle);
    return too_large;
  });
  return removals;
}

}  // namespace ward::enforcer
