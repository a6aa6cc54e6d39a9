// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/unite.h"

#include <algorithm>

namespace ward::profiles {
namespace {

void add_time(UnitedCall& united, std::int64_t first_ns, std::int64_t last_ns) {
  united.first_seen_ns = united.runs.empty() ? first_ns : std::min(united.first_seen_ns, first_ns);
  united.last_seen_ns = std::max(united.last_seen_ns, last_ns);
}

void add_values(ArgumentValues& all, const ArgumentValues& more) {
  all.values.insert(more.values.begin(), more.values.end());
  all.overflowed = all.overflowed || more.overflowed;
}

// An index that one side has and the other, which saw the call as well, has not.
void add_arguments(UnitedCall& united, const std::map<std::uint32_t, ArgumentValues>& arguments) {
  for (const auto& [index, known] : united.arguments) {
    if (!arguments.contains(index)) united.incomplete.insert(index);
  }
  for (const auto& [index, values] : arguments) {
    if (!united.runs.empty() && !united.arguments.contains(index)) united.incomplete.insert(index);
    add_values(united.arguments[index], values);
  }
}

void add_observation(UnitedCall& united, const ObservedSyscall& observed,
                     const std::string& run_id) {
  add_time(united, observed.first_seen_ns, observed.last_seen_ns);
  add_arguments(united, observed.arguments);
  if (!observed.together || observed.together->overflowed) united.together_known = false;
  if (observed.together) {
    united.together_overflowed = united.together_overflowed || observed.together->overflowed;
    for (const ArgumentTuple& tuple : observed.together->values)
      united.together[tuple].insert(run_id);
  }
  united.count += observed.count;
  united.runs.insert(run_id);
}

void add_calls(UnitedCalls& all, const std::vector<ObservedSyscall>& calls,
               const std::string& run_id) {
  for (const ObservedSyscall& call : calls)
    add_observation(all[call.nr][call.origin], call, run_id);
}

}  // namespace

United unite(const std::vector<Run>& runs) {
  United out;
  for (const Run& run : runs) {
    add_calls(out.syscalls, run.syscalls, run.id);
    add_calls(out.runtime, run.runtime, run.id);
    add_calls(out.refused, run.refused, run.id);
    for (const ObservedCapability& observed : run.capabilities) {
      UnitedCapability& united = out.capabilities[observed.name][observed.origin];
      united.count += observed.count;
      united.runs.insert(run.id);
    }
    out.lost_events += run.lost_events;
  }
  return out;
}

UnitedCall unite_origins(const std::map<Origin, UnitedCall>& origins) {
  UnitedCall out;
  for (const auto& [origin, call] : origins) {
    add_time(out, call.first_seen_ns, call.last_seen_ns);
    add_arguments(out, call.arguments);
    out.incomplete.insert(call.incomplete.begin(), call.incomplete.end());
    for (const auto& [tuple, runs] : call.together)
      out.together[tuple].insert(runs.begin(), runs.end());
    out.together_known = out.together_known && call.together_known;
    out.together_overflowed = out.together_overflowed || call.together_overflowed;
    out.count += call.count;
    out.runs.insert(call.runs.begin(), call.runs.end());
  }
  return out;
}

UnitedCapability unite_origins(const std::map<Origin, UnitedCapability>& origins) {
  UnitedCapability out;
  for (const auto& [origin, capability] : origins) {
    out.count += capability.count;
    out.runs.insert(capability.runs.begin(), capability.runs.end());
  }
  return out;
}

}  // namespace ward::profiles
