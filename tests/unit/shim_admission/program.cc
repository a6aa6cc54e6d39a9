// SPDX-License-Identifier: Apache-2.0
// Writes the errno of an unshare and the Seccomp line of its own status.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

int main() {
  const int result = ::unshare(CLONE_NEWUSER);
  std::printf("unshare %s\n", result == 0 ? "succeeded" : std::strerror(errno));
  char status[8192];
  const int fd = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? -1 : ::read(fd, status, sizeof status - 1);
  if (n > 0) {
    status[n] = '\0';
    const char* line = std::strstr(status, "Seccomp:");
    if (line != nullptr) std::printf("%.10s\n", line);
  }
  return 0;
}
