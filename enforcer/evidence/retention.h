// SPDX-License-Identifier: Apache-2.0
// Which evidence has to go: values in, values out. Shims take evidence and never remove any (they
// refuse beyond 1000 directories); what stays is wardd's to decide. A workload that violates again
// and again may hold a quarter of what there is room for, so that it cannot push out what others
// left.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ward::enforcer {

struct EvidenceLimits {
  std::chrono::seconds max_age = std::chrono::hours(168);
  std::uint64_t max_total_bytes = 1ULL << 30U;
  std::size_t max_bundles =
      900;  // fewer than shims take, so that there is a place for the next one
};

inline constexpr EvidenceLimits kKeepAllEvidence{std::chrono::hours(24L * 365 * 100), ~0ULL,
                                                 ~std::size_t{0}};

inline constexpr std::size_t kShareOfOneWorkload = 4;  // a quarter, of the number and of the bytes

struct EvidenceBundle {
  std::string name;      // of its directory
  std::string workload;  // whose; empty: it does not say
  std::int64_t taken_wall_ns = 0;
  std::uint64_t bytes = 0;
};

enum class Why { kAge, kShare, kNumber, kBytes };
std::string_view describe(Why why);  // "older than evidence.maxAge"

struct Removal {
  EvidenceBundle bundle;
  Why why;
};

// Oldest first within each reason. The newest bundle of a workload is never too large for its
// share.
std::vector<Removal> choose_removals(std::vector<EvidenceBundle> bundles,
                                     const EvidenceLimits& limits, std::int64_t now_wall_ns);

}  // namespace ward::enforcer
