// SPDX-License-Identifier: Apache-2.0
// The seccomp programs of a thread, as the kernel has them (PTRACE_SECCOMP_GET_FILTER). Used where
// a person asks what is in force. Source: ptrace(2).
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <chrono>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

using SeccompProgram = std::vector<sock_filter>;

struct LoadedFilters {
  // The oldest first: a call is asked of all of them, and the strictest answer holds. Empty: the
  // thread has none.
  std::vector<SeccompProgram> programs;
  bool more = false;  // newer ones, beyond what is read: 64, or 4 MiB
  pid_t tid = 0;      // whose they are
};

// Of the first thread of the process `pid`; where that has ended before the others, of one of
// those. `pidfd` is of the same process and proves that its number was not taken by another
// meanwhile.
//
// The thread is stopped for some microseconds, as by SIGSTOP and SIGCONT: a call that it waits in
// goes on, but for the few that end with EINTR then (signal(7): epoll_wait, nanosleep's older kin).
// It is a copy of this process that attaches, in a session of its own, so that no key of a terminal
// stops it; however it ends, the kernel lets the thread go on. Do not call it for a thread whose
// cgroup is frozen: that one does not stop, and the wait takes all of `patience`.
//
// kPermissionDenied: no CAP_SYS_ADMIN, or a filter of our own. kUnimplemented: the kernel keeps no
// programs (CONFIG_CHECKPOINT_RESTORE). kNotFound: it has ended. kDeadlineExceeded, kUnavailable:
// it did not stop in time.
Result<LoadedFilters> read_loaded_filters(pid_t pid, const UniqueFd& pidfd,
                                          std::chrono::milliseconds patience);

}  // namespace ward
