// SPDX-License-Identifier: Apache-2.0
// When is it enough? How much of a workload's behaviour its recordings have probably not shown yet.
// Good-Turing's unseen mass and Chao2 on incidence (run x time window), at two window sizes: where
// they disagree the answer is "not reliable yet". An estimate about the load that was applied;
// never a guarantee. Sources: Good, Biometrika 40 (1953) 237; Chao, Biometrics 43 (1987) 783.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profiles/learn/discovery.h"
#include "profiles/learn/life.h"
#include "profiles/learn/observation.h"

namespace ward::profiles {

// The figures of one window size.
struct Estimate {
  std::uint32_t windows = 0;     // m
  std::uint32_t seen = 0;        // distinct calls
  std::uint32_t uniques = 0;     // Q1: seen in exactly one window
  std::uint32_t duplicates = 0;  // Q2: in exactly two
  double unseen_mass = 1;  // Good-Turing: the chance that an observation in the next window is of a
                           // call not seen before
  double total = 0;        // Chao2: distinct calls there are, seen or not (a lower bound)
  // With 95 % confidence the mass is no larger, as far as windows are samples of their own.
  double mass_at_most = 1;
  [[nodiscard]] double unseen() const { return total - seen; }
};

// The same of whole runs, for what happens once in a life (a start, a reload, a stop).
struct RunEstimate {
  std::uint32_t runs = 0;
  std::uint32_t peculiar = 0;  // runs with a call that no other run has
  double at_most = 1;  // the chance, at most, that the next run shows a new call; 95 % confidence
};

struct Coverage {
  Estimate fine, coarse;
  RunEstimate lives;
  bool estimated =
      false;  // there is enough to estimate from; else the figures say nothing that the data does
  bool reliable = false;
  std::string verdict;  // one sentence or two, for people
  LifeReport life;
  Discovery found;
  std::vector<std::string> not_exercised;  // discovery.h
};

// Incidence of all runs is laid side by side: a window of one run is a sample like a window of
// another.
Estimate estimate(const std::vector<Incidence>& runs);

// There are runs, and all of them are of containers that ran already.
bool no_start_seen(const std::vector<Run>& runs);

RunEstimate estimate_lives(const std::vector<Run>& runs);

// The upper end of the 95 % interval of a share of which `found` were seen among `samples` (Clopper
// and Pearson, Biometrika 26 (1934) 404). None of three: 0.71; 1 without samples.
double share_at_most(std::uint32_t found, std::uint32_t samples);

Coverage coverage(const Observations& observations);

}  // namespace ward::profiles
