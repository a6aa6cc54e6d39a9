// SPDX-License-Identifier: Apache-2.0
#include "profiles/coverage.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace ward::profiles {
namespace {

constexpr std::uint32_t kMinWindows = 20;  // below, Q1 and Q2 are a matter of luck
constexpr double kMaxDisagreement = 0.15;  // of the two totals, relative
constexpr std::size_t kMinRuns = 2;

bool agree(const Estimate& a, const Estimate& b) {
  const double larger = std::max(a.total, b.total);
  // Not the masses: a longer window has more chances by itself.
  return larger > 0 && std::abs(a.total - b.total) / larger <= kMaxDisagreement;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %%", share * 100);
  return text;
}

std::string describe(const Coverage& coverage, std::size_t runs) {
  const Estimate& fine = coverage.fine;
  if (fine.windows == 0) return "Nothing was recorded.";
  if (fine.windows < kMinWindows) {
    return "Not reliable yet: " + std::to_string(fine.windows) +
           " windows with activity, at least " + std::to_string(kMinWindows) +
           " are needed. Record longer, or more runs.";
  }
  if (runs < kMinRuns) {
    return "Not reliable yet: one run only, and what happens once at its start looks like chance. "
           "Record a second run.";
  }
  if (!coverage.reliable) {
    return "Not reliable yet: at 1 s windows about " + std::to_string(std::lround(fine.unseen())) +
           " more calls are expected, at 5 s " +
           std::to_string(std::lround(coverage.coarse.unseen())) +
           ". The behaviour is still changing: record longer, or more runs.";
  }
  return std::to_string(fine.seen) + " calls were seen, and about " +
         std::to_string(std::lround(fine.unseen())) +
         " more are expected under the same load; the chance that the next second of activity "
         "shows a new one is "
         "about " +
         percent(fine.unseen_mass) + ". An estimate about this load, no guarantee.";
}

}  // namespace

Estimate estimate(const std::vector<Incidence>& runs) {
  Estimate result;
  std::map<int, std::uint64_t> seen_in;
  for (const Incidence& run : runs) {
    result.windows += run.windows;
    for (const auto& [nr, windows] : run.seen_in) {
      if (windows > 0) seen_in[nr] += windows;
    }
  }
  result.seen = static_cast<std::uint32_t>(seen_in.size());
  for (const auto& [nr, windows] : seen_in) {
    result.uniques += windows == 1 ? 1 : 0;
    result.duplicates += windows == 2 ? 1 : 0;
  }
  if (result.windows == 0) return result;
  // Chao2, bias-corrected, which stays finite where no call was seen exactly twice.
  const double m = result.windows, q1 = result.uniques, q2 = result.duplicates;
  result.unseen_mass = std::min(1.0, q1 / m);
  result.total = result.seen + (m - 1) / m * q1 * (q1 - 1) / (2 * (q2 + 1));
  return result;
}

Coverage coverage(const Observations& observations) {
  std::vector<Incidence> fine, coarse;
  std::size_t active_runs = 0;
  for (const Run& run : observations.runs) {
    active_runs += run.fine.windows > 0 ? 1 : 0;
    fine.push_back(run.fine);
    coarse.push_back(run.coarse);
  }
  Coverage result;
  result.fine = estimate(fine);
  result.coarse = estimate(coarse);
  result.estimated = active_runs >= kMinRuns && result.fine.windows >= kMinWindows;
  result.reliable = result.estimated && agree(result.fine, result.coarse);
  result.life = life_report(observations.runs);
  result.verdict = describe(result, active_runs);
  return result;
}

}  // namespace ward::profiles
