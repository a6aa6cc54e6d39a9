// SPDX-License-Identifier: Apache-2.0
// How the set of known calls grew while a workload was recorded, and in words what the recordings
// did not exercise. Facts about what was seen; estimates of what was not are in coverage.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profiles/learn/observation.h"

namespace ward::profiles {

// One call more was known. Runs are laid end to end in the order of their starts.
struct DiscoveryStep {
  std::int64_t at_ns = 0;  // of recorded time, since the first run's first exec
  std::uint32_t calls = 0;
  bool operator==(const DiscoveryStep&) const = default;
};

struct RunGain {
  std::string run;
  std::int64_t length_ns = 0;
  std::uint32_t added = 0;  // calls that no earlier run had
  bool operator==(const RunGain&) const = default;
};

struct Discovery {
  std::vector<DiscoveryStep> steps;
  std::vector<RunGain> runs;
  std::int64_t recorded_ns = 0;
  std::int64_t longest_run_ns = 0;
  std::uint32_t late = 0;  // calls that the second half of the recorded time added
};

// Of the workload; exec sessions have a layer of their own.
Discovery discovery(const std::vector<Run>& runs);

// "41 s", "12 min", "3 h": what people say of a length of time.
std::string describe_length(std::int64_t length_ns);

// A sentence each, for people: how long the longest run was, name resolution, other images,
// versions and architectures, and what no recording can show. Signals, exec sessions and stops are
// life_report()'s.
std::vector<std::string> not_exercised(const Observations& observations);

}  // namespace ward::profiles
