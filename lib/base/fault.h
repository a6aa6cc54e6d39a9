// SPDX-License-Identifier: Apache-2.0
// Places in the shim at which a test makes it fail, wait or die. Only a build with the CMake option
// WARD_FAULTS has them; without it a point is nothing, its name included, and a variable of the
// environment can harm nobody.
//
// WARD_FAULTS="create.before-runtime=error(ENOSPC);delete.before-reply=kill*1", or "@FILE": the
// file is read at every point, so that a test can change it while a shim runs, and FILE.fired says
// which points were met. Rules are
// ';'-separated:
//   NAME=error(ERRNO)   the point fails: EIO, ENOSPC, EMFILE, ENOMEM, EBUSY or a number
//   NAME=delay(MS)      the process stands still for so long
//   NAME=kill           the process dies of SIGKILL at the point; kill(MS): so long after it
// "*N" behind a rule: the first N times in each process.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::fault {

#ifdef WARD_FAULTS
inline constexpr bool kEnabled = true;
Result<void> point(const std::string& name);
// `point(verb + when)`, without the text in a build that has no points.
inline Result<void> point(const std::string& verb, const char* when) { return point(verb + when); }
#else
inline constexpr bool kEnabled = false;
template <typename... Name>
inline Result<void> point(const Name&... /*name*/) {
  return {};
}
#endif

// Where there is nothing that could fail any more: the process can only wait or die.
template <typename... Name>
inline void pass(const Name&... name) {
  (void)point(name...);
}

}  // namespace ward::fault
