// SPDX-License-Identifier: Apache-2.0
// Which types of socket (SOCK_STREAM, ...) learning allows. A filter compares each argument alone,
// so a type that was only used with a family that is left out (AF_NETLINK with SOCK_RAW) would
// become allowed with those that stay.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "profiles/argument_choices.h"
#include "profiles/learn/observation.h"
#include "profiles/profile.h"

namespace ward::profiles {

struct SocketTypes {
  std::optional<std::set<std::uint64_t>> allowed;  // without flags; absent: any
  std::set<std::uint64_t> left_out;
  bool guessed = false;  // the types are not all known, so the usual ones are allowed
};

// `seen` are all types that `origin` asked of socket(2), absent where they are not all known;
// `families` are those that the filter allows. A recording keeps the values of each argument and
// not the pairs, so a type is taken for one of theirs only where some run used it without a family
// that is left out and has it, too.
SocketTypes choose_socket_types(const Observations& observations, Origin origin,
                                const std::optional<std::set<std::uint64_t>>& seen,
                                const std::set<std::uint64_t>& families);

// The same where the recordings say which values came together: nothing is guessed then. Which of
// stream and datagram a family uses is the moment's choice, so both are allowed to the families
// that were seen; another type to those only that used it; and what is dangerous is left out with
// its type and protocol. `int_families`: compare the lower half of the family, because a program
// left rubbish in the upper one.
struct ChosenSockets {
  std::vector<ArgFilters> allowed;
  std::vector<ArgFilters> left_out;  // filters on family, type and protocol, one value each
};
ChosenSockets choose_sockets(const std::set<ArgumentTuple>& seen, bool int_families);

bool is_socket(const ArgFilters& left_out,
               const ArgumentTuple& tuple);  // of a LeftOut that choose_sockets made

}  // namespace ward::profiles
