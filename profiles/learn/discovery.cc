// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/discovery.h"

#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "lib/oci/seccomp.h"
#include "profiles/argument_choices.h"

namespace ward::profiles {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kMinute_ns = 60 * kSecond_ns;

// By the clock where the end is known, else up to the last call: both ends are of one run.
std::int64_t length_of(const Run& run) {
  std::int64_t length = 0;
  for (const ObservedSyscall& call : run.syscalls) length = std::max(length, call.last_seen_ns);
  if (run.ended_wall_ns > run.started_wall_ns)
    length = std::max(length, run.ended_wall_ns - run.started_wall_ns);
  return length;
}

std::vector<const Run*> in_order(const std::vector<Run>& runs) {
  std::vector<const Run*> ordered;
  for (const Run& run : runs) {
    if (!run.syscalls.empty()) ordered.push_back(&run);
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const Run* a, const Run* b) {
    return a->started_wall_ns < b->started_wall_ns;
  });
  return ordered;
}

// Name resolution asks over a datagram socket of the internet, or asks the kernel for its routes
// first.
bool may_have_resolved_names(const std::vector<Run>& runs) {
  const auto number = oci::find_syscall("socket");
  for (const Run& run : runs) {
    for (const ObservedSyscall& call : run.syscalls) {
      if (call.nr != number) continue;
      if (!call.together || call.together->overflowed) return true;
      for (const auto& [family, type, protocol] : call.together->values) {
        const bool internet = family == AF_INET || family == AF_INET6;
        if (family == AF_NETLINK || (internet && (type & kSocketTypeMask) == SOCK_DGRAM))
          return true;
      }
    }
  }
  return false;
}

}  // namespace

Discovery discovery(const std::vector<Run>& runs) {
  Discovery result;
  std::set<int> known;
  for (const Run* run : in_order(runs)) {
    std::vector<const ObservedSyscall*> calls;
    for (const ObservedSyscall& call : run->syscalls)
      if (call.origin == Origin::kWorkload) calls.push_back(&call);
    std::stable_sort(calls.begin(), calls.end(), [](const auto* a, const auto* b) {
      return a->first_seen_ns < b->first_seen_ns;
    });
    const std::size_t before = known.size();
    for (const ObservedSyscall* call : calls) {
      if (!known.insert(call->nr).second) continue;
      result.steps.push_back(
          {result.recorded_ns + call->first_seen_ns, static_cast<std::uint32_t>(known.size())});
    }
    const std::int64_t length = length_of(*run);
    result.runs.push_back({run->id, length, static_cast<std::uint32_t>(known.size() - before)});
    result.recorded_ns += length;
    result.longest_run_ns = std::max(result.longest_run_ns, length);
  }
  result.late = static_cast<std::uint32_t>(
      std::count_if(result.steps.begin(), result.steps.end(),
                    [&](const DiscoveryStep& s) { return s.at_ns > result.recorded_ns / 2; }));
  return result;
}

std::string describe_length(std::int64_t length_ns) {
  if (length_ns < 2 * kMinute_ns) return std::to_string(length_ns / kSecond_ns) + " s";
  if (length_ns < 120 * kMinute_ns) return std::to_string(length_ns / kMinute_ns) + " min";
  return std::to_string(length_ns / (60 * kMinute_ns)) + " h";
}

std::vector<std::string> not_exercised(const Observations& observations) {
  std::vector<std::string> out;
  const Discovery found = discovery(observations.runs);
  if (found.runs.empty()) return out;
  out.push_back("anything later than " + describe_length(found.longest_run_ns) +
                " after a start: the longest run ended there (periodic work, log rotation, caches "
                "that fill)");
  if (!may_have_resolved_names(observations.runs))
    out.emplace_back("name resolution (DNS): no datagram socket of the internet was made");
  if (kinds_of(observations.runs).size() < 2)
    out.emplace_back("another version or build of the image: all runs are of one");
  out.emplace_back(
      "error paths, a full disk, little memory, TLS: a recording cannot tell whether they were "
      "tried");
  return out;
}

}  // namespace ward::profiles
