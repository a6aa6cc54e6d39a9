// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/quiet_child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ward {

// Not fork(2): with exit signal 0 the child is invisible to wait4(-1). One thread, so the child may
// allocate.
Result<UniqueFd> fork_quietly(const std::function<int()>& work) {
  int pidfd = -1;
  const auto pid =
      static_cast<pid_t>(::syscall(SYS_clone, CLONE_PIDFD, nullptr, &pidfd, nullptr, nullptr));
  if (pid < 0) return fail_errno("clone");
  if (pid == 0) ::_exit(work());
  ::fcntl(pidfd, F_SETFD, FD_CLOEXEC);
  return UniqueFd(pidfd);
}

}  // namespace ward
