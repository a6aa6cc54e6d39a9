// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/pidfd.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <string>

namespace ward {

Result<UniqueFd> open_pidfd(pid_t pid) {
  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd >= 0) return UniqueFd(fd);
  if (errno == ESRCH)
    return fail(Code::kNotFound, "pidfd_open " + std::to_string(pid) + ": no such process");
  return fail_errno("pidfd_open " + std::to_string(pid));
}

Result<void> send_signal(const UniqueFd& pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return fail(Code::kNotFound, "process already finished");
  return fail_errno("pidfd_send_signal " + std::to_string(signal));
}

}  // namespace ward
