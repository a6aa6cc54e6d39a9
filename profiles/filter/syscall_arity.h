// SPDX-License-Identifier: Apache-2.0
// How many arguments a system call has: of the six registers that a process sets, the others are
// what was in them before.
#pragma once

#include <optional>
#include <string_view>

namespace ward::filter {

// Nothing for a call that is not known here.
std::optional<int> syscall_arity(std::string_view name);

}  // namespace ward::filter
