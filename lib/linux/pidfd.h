// SPDX-License-Identifier: Apache-2.0
// A process named by descriptor: a signal sent through it cannot hit a later process with the same
// pid.
#pragma once

#include <sys/types.h>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

Result<UniqueFd> open_pidfd(pid_t pid);                       // kNotFound: no such process
Result<void> send_signal(const UniqueFd& pidfd, int signal);  // kNotFound: it has been reaped

}  // namespace ward
