// SPDX-License-Identifier: Apache-2.0
// Runs laid over each other: what all of them together saw of each call and each capability. What
// people are shown of a recording and what a profile is generated from are this one union. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "profiles/learn/observation.h"

namespace ward::profiles {

// One call of one origin.
struct UnitedCall {
  std::uint64_t count = 0;
  std::set<std::string> runs;  // ids of those that saw it
  std::int64_t first_seen_ns = 0;
  std::int64_t last_seen_ns = 0;
  std::map<std::uint32_t, ArgumentValues> arguments;
  std::set<std::uint32_t> incomplete;                       // an index that some run did not record
  std::map<ArgumentTuple, std::set<std::string>> together;  // and the runs that saw each
  bool together_known = true;                               // by every run, and whole
  bool together_overflowed = false;                         // in some run
};

struct UnitedCapability {
  std::uint64_t count = 0;
  std::set<std::string> runs;
};

// A call's number, or a capability's name; and then, apart, what was seen of each origin.
using UnitedCalls = std::map<int, std::map<Origin, UnitedCall>>;
using UnitedCapabilities = std::map<std::string, std::map<Origin, UnitedCapability>>;

struct United {
  UnitedCalls syscalls;
  UnitedCalls runtime;
  UnitedCalls refused;
  UnitedCapabilities capabilities;
  std::uint64_t lost_events = 0;
};

United unite(const std::vector<Run>& runs);

// Both origins of a call, or of a capability, as one: for who asks whether it was seen at all.
UnitedCall unite_origins(const std::map<Origin, UnitedCall>& origins);
UnitedCapability unite_origins(const std::map<Origin, UnitedCapability>& origins);

}  // namespace ward::profiles
