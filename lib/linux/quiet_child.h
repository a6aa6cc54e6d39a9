// SPDX-License-Identifier: Apache-2.0
// A copy of this process that does one piece of work beside it and ends. Nobody waits: its end is
// seen through a descriptor, and wait4(-1) of a reaper never meets it. For a process with one
// thread.
#pragma once

#include <functional>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

// `work` runs in the copy, which ends with what it returns as its status. The descriptor is a
// pidfd: readable once the copy has ended, and to be waited for with waitid(P_PIDFD, ..., __WALL).
Result<UniqueFd> fork_quietly(const std::function<int()>& work);

}  // namespace ward
