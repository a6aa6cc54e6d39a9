// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/socket_types.h"

#include <sys/socket.h>

#include <algorithm>
#include <map>

#include "lib/oci/seccomp.h"
#include "profiles/harm/danger.h"

namespace ward::profiles {
namespace {

constexpr std::uint64_t kSockPacket =
    10;  // obsolete, and socket(AF_INET, SOCK_PACKET) still makes an AF_PACKET socket

using Values = std::set<std::uint64_t>;

bool has_type(std::uint64_t family, std::uint64_t type) {
  switch (static_cast<std::uint32_t>(family)) {
    case AF_NETLINK: return type == SOCK_RAW || type == SOCK_DGRAM;
    case AF_PACKET: return type == SOCK_RAW || type == SOCK_DGRAM || type == kSockPacket;
    case AF_ALG: return type == SOCK_SEQPACKET;
    default: return true;
  }
}

bool is_left_out(std::uint64_t family) { return is_dangerous_value("socket", 0, family); }

// Calls f(families, types) for each run in which `origin` made sockets.
template <typename F>
bool any_run(const Observations& observations, Origin origin, F f) {
  for (const Run& run : observations.runs) {
    for (const ObservedSyscall& observed : run.syscalls) {
      if (observed.origin != origin || oci::find_syscall_name(observed.nr) != "socket") continue;
      const auto families = observed.arguments.find(0);
      const auto types = observed.arguments.find(1);
      const ArgumentValues unknown{{}, true};
      if (f(families == observed.arguments.end() ? unknown : families->second,
            types == observed.arguments.end() ? unknown : types->second)) {
        return true;
      }
    }
  }
  return false;
}

// Some run used the type where nothing that is left out can have used it.
bool is_vouched_for(const Observations& observations, Origin origin, std::uint64_t type) {
  return any_run(
      observations, origin, [&](const ArgumentValues& families, const ArgumentValues& types) {
        const bool used =
            std::any_of(types.values.begin(), types.values.end(),
                        [&](std::uint64_t seen) { return (seen & kSocketTypeMask) == type; });
        return used && !families.overflowed &&
               std::none_of(families.values.begin(), families.values.end(),
                            [&](std::uint64_t family) {
                              return is_left_out(family) && has_type(family, type);
                            });
      });
}

}  // namespace

SocketTypes choose_socket_types(const Observations& observations, Origin origin,
                                const std::optional<Values>& seen, const Values& families) {
  SocketTypes chosen;
  if (!seen) {
    const bool some_left_out =
        any_run(observations, origin, [](const ArgumentValues& all, const ArgumentValues&) {
          return std::any_of(all.values.begin(), all.values.end(), is_left_out);
        });
    if (!some_left_out) return chosen;
    chosen.guessed = true;
    chosen.allowed = Values{SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    return chosen;
  }
  // Which of stream and datagram is used is the moment's choice (DNS over TCP, syslog).
  chosen.allowed = Values{SOCK_STREAM, SOCK_DGRAM};
  for (const std::uint64_t raw : *seen) {
    const std::uint64_t type = raw & kSocketTypeMask;
    const bool doubtful = type == SOCK_RAW || type == SOCK_SEQPACKET;
    const bool local = type == SOCK_SEQPACKET &&
                       families.contains(AF_UNIX);  // reaches nobody outside: no harm in it
    const bool usual = type == SOCK_STREAM || type == SOCK_DGRAM;
    const bool kept = type != kSockPacket &&
                      (usual || local || !doubtful || is_vouched_for(observations, origin, type));
    (kept ? *chosen.allowed : chosen.left_out).insert(type);
  }
  return chosen;
}

ChosenSockets choose_sockets(const std::set<ArgumentTuple>& seen, bool int_families) {
  const std::optional<std::uint64_t> mask =
      int_families ? std::optional<std::uint64_t>(0xFFFFFFFF) : std::nullopt;
  ChosenSockets chosen;
  Values families;
  std::map<std::uint64_t, Values> special;  // the families of every other type
  std::set<ArgumentTuple> dangerous;        // without the flags of the type
  for (const auto& [family, raw_type, protocol] : seen) {
    const std::uint64_t type = raw_type & kSocketTypeMask;
    if (is_left_out(family) || type == kSockPacket) {
      dangerous.insert({family, type, protocol});
      continue;
    }
    families.insert(family);
    if (type != SOCK_STREAM && type != SOCK_DGRAM) special[type].insert(family);
  }
  const auto add = [&](const Values& of, std::vector<std::uint64_t> types) {
    chosen.allowed.push_back(
        {{0, mask, {of.begin(), of.end()}}, {1, kSocketTypeMask, std::move(types)}});
  };
  if (!families.empty()) add(families, {SOCK_STREAM, SOCK_DGRAM});
  for (const auto& [type, of] : special) add(of, {type});
  for (const auto& [family, type, protocol] : dangerous) {
    chosen.left_out.push_back(
        {{0, mask, {family}}, {1, kSocketTypeMask, {type}}, {2, std::nullopt, {protocol}}});
  }
  return chosen;
}

bool is_socket(const ArgFilters& left_out, const ArgumentTuple& tuple) {
  return left_out[0].one_of.front() == tuple[0] &&
         left_out[1].one_of.front() == (tuple[1] & kSocketTypeMask) &&
         left_out[2].one_of.front() == tuple[2];
}

}  // namespace ward::profiles
