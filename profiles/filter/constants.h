// SPDX-License-Identifier: Apache-2.0
// Names of argument values (AF_INET, CLONE_NEWUSER, PR_SET_NAME, ...), both directions, by syscall
// and argument index. Used where people read or write values: YAML, explain, events. Decisions use
// the numbers only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::filter {

// "AF_INET", "CLONE_VM|CLONE_VFORK", "0x10", "16". The error says what was expected, with the
// nearest name.
Result<std::uint64_t> parse_argument_value(std::string_view syscall, std::uint32_t index,
                                           std::string_view text);

// The shortest text that parse_argument_value reads back: a name, names joined by '|', else a
// number (hexadecimal for flags).
std::string format_argument_value(std::string_view syscall, std::uint32_t index,
                                  std::uint64_t value);

// The names of a protocol depend on the family: what stands for the name of the call where socket()
// is of AF_NETLINK (vocabulary_of() in profiles/argument_choices.h).
inline constexpr std::string_view kNetlinkSocket = "socket of AF_NETLINK";

std::string format_hex(std::uint64_t value);  // "0x1f"

// "0x1F", "31"; not "-1", "1.0", "0o17", "1 ".
Result<std::uint64_t> parse_number(std::string_view text);

}  // namespace ward::filter
