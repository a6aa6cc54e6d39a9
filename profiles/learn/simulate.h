// SPDX-License-Identifier: Apache-2.0
// What a profile would have done in lives that were recorded, and about calls that were told of.
// Pure; the caller reads the recordings and the events.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/harm/harm_class.h"
#include "profiles/learn/observation.h"
#include "profiles/learn/propose.h"
#include "profiles/profile.h"

namespace ward::profiles {

// A call that was made and that the profile does not list.
struct SimulatedCall {
  std::string syscall;
  // The values that are not allowed, where some of the call are: "AF_PACKET", "0x10".
  std::set<std::string> arguments;
  Origin origin = Origin::kWorkload;
  HarmClass harm = HarmClass::kReach;  // the strictest that was seen
  bool let_run = false;                // by the posture: recorded, and no violation
  std::set<std::string> runs;          // ids
  std::uint64_t count = 0;             // of calls in those runs
  std::uint64_t events = 0;            // of events of the journal
};

struct Simulated {
  std::uint32_t runs = 0;     // with calls of a program
  std::uint32_t stopped = 0;  // of these, with a call that is acted upon
  std::uint64_t events = 0, events_stopped = 0;
  std::vector<SimulatedCall> calls;    // those that are acted upon first
  std::set<std::string> capabilities;  // used in a run, and cut
};

// A recording keeps the values of an argument and not which came together (but for socket), so a
// call is taken as allowed where each value is, with one of the others. kInvalidArgument: the
// profile cannot be compiled.
Result<Simulated> simulate(const Profile& profile, const std::vector<Run>& runs,
                           const std::vector<CallOutside>& events);

}  // namespace ward::profiles
