// SPDX-License-Identifier: Apache-2.0
// Takes everything from this process that reading descriptors does not need, for good.
#pragma once

namespace ward::inspect {

inline constexpr unsigned kNobody = 65534;  // user and group
inline constexpr unsigned kLongestLife_s = 5;

// Another user, no groups, no capabilities, no new privileges, bounds on memory, processor time and
// life, and a filter under which a call beside reading, writing and memory ends the process. False:
// some of it could not be had, and nothing may be read.
bool confine();

}  // namespace ward::inspect
