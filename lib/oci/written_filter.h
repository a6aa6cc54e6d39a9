// SPDX-License-Identifier: Apache-2.0
// A filter of ours, held against the program that libseccomp makes of it. Of some sets of rules of one call libseccomp
// makes another answer than they say, and it may be a wider one (K70). Pure.
#pragma once

#include <string>
#include <vector>

#include "lib/oci/filter_program.h"
#include "lib/oci/runtime_filter.h"
#include "lib/oci/seccomp.h"

namespace ward::oci {

// The calls with conditions of which `written` answers otherwise than the rules of `filter`, whose conditions are
// disjoint. Asked at the edges of the conditions, so many times at most.
std::vector<std::string> find_written_wrong(const Seccomp& filter, const FilterProgram& written,
                                            std::size_t most_questions = 20'000);

// These are notified whatever their arguments, and judged in user space. `write`, which cannot be, is EPERM.
void notify_whole(Seccomp& filter, const std::vector<std::string>& calls);

// Both, until nothing is found: calls share pieces of a program, so that one which is mended moves others. The calls
// that are notified now; errors as of make_runtime_filter, and its warning.
Result<std::vector<std::string>> notify_what_is_written_wrong(Seccomp& filter, const RuntimeHabits& habits);

}  // namespace ward::oci
