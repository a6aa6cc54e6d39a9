// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/coverage.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

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
  const RunEstimate& lives = coverage.lives;
  return std::to_string(fine.seen) + " calls were seen, and about " +
         std::to_string(std::lround(fine.unseen())) +
         " more are expected of the same load. At most " + percent(fine.mass_at_most) +
         " of its seconds, and at most " + percent(lives.at_most) +
         " of further runs, show a new one (95 % confidence; " + std::to_string(lives.runs) +
         " runs" + (lives.peculiar == 0 ? ", all alike" : "") +
         "). Runs of one load repeat it: of what was not exercised this says nothing.";
}

// P(X <= found) of a binomial.
double chance_of_so_few(std::uint32_t found, std::uint32_t samples, double share) {
  double sum = 0;
  for (std::uint32_t k = 0; k <= found; ++k) {
    sum += std::exp(std::lgamma(samples + 1.0) - std::lgamma(k + 1.0) -
                    std::lgamma(samples - k + 1.0) + k * std::log(share) +
                    (samples - k) * std::log1p(-share));
  }
  return sum;
}

}  // namespace

double share_at_most(std::uint32_t found, std::uint32_t samples) {
  constexpr double kOneOfForty = 0.025;
  if (found >= samples) return 1;
  double low = static_cast<double>(found) / samples, high = 1;
  for (int step = 0; step < 50; ++step) {
    const double middle = (low + high) / 2;
    (chance_of_so_few(found, samples, middle) > kOneOfForty ? low : high) = middle;
  }
  return high;
}

RunEstimate estimate_lives(const std::vector<Run>& runs) {
  RunEstimate result;
  std::map<int, std::uint32_t> made_by;
  std::map<int, std::size_t> last_by;
  std::set<std::size_t> peculiar;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].fine.windows == 0 || !runs[i].start_seen) continue;  // a part of a run is none
    ++result.runs;
    std::set<int> calls;
    for (const ObservedSyscall& seen : runs[i].syscalls)
      if (seen.origin == Origin::kWorkload) calls.insert(seen.nr);
    for (const int nr : calls) {
      ++made_by[nr];
      last_by[nr] = i;
    }
  }
  for (const auto& [nr, times] : made_by)
    if (times == 1) peculiar.insert(last_by[nr]);
  result.peculiar = static_cast<std::uint32_t>(peculiar.size());
  result.at_most = share_at_most(result.peculiar, result.runs);
  return result;
}

bool no_start_seen(const std::vector<Run>& runs) {
  return std::none_of(runs.begin(), runs.end(),
                      [](const Run& run) { return run.start_seen && !run.syscalls.empty(); }) &&
         !runs.empty();
}

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
  // A window with a call of its own has one at least: there are no more of them than such calls.
  result.mass_at_most = share_at_most(std::min(result.uniques, result.windows), result.windows);
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
  result.lives = estimate_lives(observations.runs);
  result.life = life_report(observations.runs);
  result.found = discovery(observations.runs);
  result.not_exercised = not_exercised(observations);
  result.verdict = describe(result, active_runs);
  if (no_start_seen(observations.runs)) {
    result.reliable = false;
    result.verdict =
        "Not reliable yet: no start was seen, for the containers ran already when their recording "
        "began. Start one anew while it is recorded. " +
        result.verdict;
  }
  return result;
}

}  // namespace ward::profiles
