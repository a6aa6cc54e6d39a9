// SPDX-License-Identifier: Apache-2.0
// A child whose one system call is notified, for tests of who answers it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <optional>

#include "lib/base/unique_fd.h"
#include "lib/linux/seccomp_listener.h"

namespace ward::test {

// A child under a filter that notifies of mkdir; it calls mkdir(path) and exits with its errno.
struct NotifiedChild {
  pid_t pid;
  UniqueFd listener;
};

inline NotifiedChild start_notified_child(const char* path) {
  int ready[2];
  EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    sock_fprog program{.len = 4, .filter = code};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const int fd = static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                              SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    (void)!::write(ready[1], &fd, sizeof(fd));
    _exit(::mkdir(path, 0700) == 0 ? 0 : errno);
  }
  int number = -1;
  EXPECT_EQ(::read(ready[0], &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
  ::close(ready[0]);
  ::close(ready[1]);
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return {pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)))};
}

inline std::optional<Notification> next(SeccompListener& listener) {
  pollfd wait{.fd = listener.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 5000), 1);
  return listener.receive().value();
}

inline int exit_status(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace ward::test
