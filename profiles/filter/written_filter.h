// SPDX-License-Identifier: Apache-2.0
// A filter of ours, held against the program that libseccomp makes of it. Of some sets of rules of
// one call libseccomp makes another answer than they say, and it may be a wider one (K70). Pure.
#pragma once

#include <string>
#include <vector>

#include "lib/oci/seccomp.h"
#include "profiles/filter/filter_program.h"
#include "profiles/filter/runtime_filter.h"

namespace ward::filter {

// The calls with conditions of which `written` answers otherwise than the rules of `filter`, whose
// conditions are disjoint. Asked at the edges of the conditions, so many times at most.
std::vector<std::string> find_written_wrong(const oci::Seccomp& filter,
                                            const FilterProgram& written,
                                            std::size_t most_questions = 20'000);

// These are notified whatever their arguments, and judged in user space. `write`, which cannot be,
// is EPERM.
void notify_whole(oci::Seccomp& filter, const std::vector<std::string>& calls);

// Both, until nothing is found: calls share pieces of a program, so that one which is mended moves
// others. The calls that are notified now; errors as of make_runtime_filter, and its warning.
Result<std::vector<std::string>> notify_what_is_written_wrong(oci::Seccomp& filter,
                                                              const RuntimeHabits& habits);

}  // namespace ward::filter
