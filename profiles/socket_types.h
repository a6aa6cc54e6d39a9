// SPDX-License-Identifier: Apache-2.0
// Which types of socket (SOCK_STREAM, ...) learning allows. A filter compares each argument alone, so a type that was
// only used with a family that is left out (AF_NETLINK with SOCK_RAW) would become allowed with those that stay.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "profiles/observation.h"

namespace ward::profiles {

struct SocketTypes {
  std::optional<std::set<std::uint64_t>> allowed;  // without flags; absent: any
  std::set<std::uint64_t> left_out;
  bool guessed = false;  // the types are not all known, so the usual ones are allowed
};

inline constexpr std::uint64_t kSocketTypeMask = 0xF;  // without SOCK_CLOEXEC and SOCK_NONBLOCK

// `seen` are all types that `origin` asked of socket(2), absent where they are not all known; `families` are those that
// the filter allows. A recording keeps the values of each argument and not the pairs, so a type is taken for one of
// theirs only where some run used it without a family that is left out and has it, too.
SocketTypes choose_socket_types(const Observations& observations, Origin origin,
                                const std::optional<std::set<std::uint64_t>>& seen,
                                const std::set<std::uint64_t>& families);

}  // namespace ward::profiles
