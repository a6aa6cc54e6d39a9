// SPDX-License-Identifier: Apache-2.0
// A filter of one argument as the comparisons a compiled profile knows: the argument, under a mask
// or whole, equals a value. One of the choices must hold. Used by the compiler, and by validate()
// to count.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

// The type of a socket without SOCK_CLOEXEC and SOCK_NONBLOCK.
inline constexpr std::uint64_t kSocketTypeMask = 0xF;

struct ArgChoice {
  std::optional<std::uint64_t> mask;  // absent: all bits
  std::uint64_t value = 0;
  bool operator==(const ArgChoice&) const = default;
};

// oneOf: a choice for each value. noneOf: the blocks of aligned values that lie between the
// excluded ones, about 32 for one of them. "Not equal" cannot be said twice of one argument: a
// runtime takes two such conditions as alternatives, of which one always holds (K3).
std::vector<ArgChoice> choices_of(const ArgFilter& filter);

// The words in which filter::format_argument_value() is to write the values of this call with these
// filters: a syscall's own name, or filter::kNetlinkSocket.
std::string_view vocabulary_of(std::string_view syscall, const ArgFilters& args);

}  // namespace ward::profiles
