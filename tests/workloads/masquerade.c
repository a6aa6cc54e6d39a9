// SPDX-License-Identifier: Apache-2.0
// A library that a container preloads into the runtime's own binary. Its constructor gives the
// process the start of the stack that the runtime's init had (whoever sees that init in /proc
// writes the number to /stack), so that image and stack are those of the init, and then tries what
// nobody here may do. Prints "NAME RESULT ERRNO" for each. Used by
// tests/integration/masquerade_test.cc only.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static size_t slurp(const char* path, char* text, size_t size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = read(fd, text, size - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  return n > 0 ? (size_t)n : 0;
}

// Field `number` (counted as proc(5) does) of our own stat.
static unsigned long long stat_field(const char* text, int number) {
  const char* at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < number; ++field) at = strchr(at + 1, ' ');
  return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

static long take_stack(unsigned long long start_stack) {
  char text[2048];
  if (slurp("/proc/self/stat", text, sizeof text) == 0) return -1;
  struct prctl_mm_map map = {
      .start_code = stat_field(text, 26),
      .end_code = stat_field(text, 27),
      .start_stack = start_stack,
      .start_data = stat_field(text, 45),
      .end_data = stat_field(text, 46),
      .start_brk = stat_field(text, 47),
      .brk = (unsigned long long)syscall(SYS_brk, 0),
      .arg_start = stat_field(text, 48),
      .arg_end = stat_field(text, 49),
      .env_start = stat_field(text, 50),
      .env_end = stat_field(text, 51),
      .exe_fd = (unsigned)-1,
  };
  return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

static void tell(const char* name, long result) {
  char line[128];
  const int n = snprintf(line, sizeof line, "%s %ld %d\n", name, result, result < 0 ? errno : 0);
  (void)!write(1, line, (size_t)n);
  errno = 0;
}

__attribute__((constructor)) static void masquerade(void) {
  char text[64];
  for (int i = 0; slurp("/stack", text, sizeof text) == 0; ++i) {
    if (i > 1000) _exit(3);  // nobody saw the init
    poll(NULL, 0, 2);
  }
  tell("take-stack", take_stack(strtoull(text, NULL, 10)));
  tell("mkdir", mkdir("/masquerade-was-here", 0700));
  tell("keyctl", syscall(SYS_keyctl, 0, -5, 1, 0, 0));
  tell("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
  tell("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
  _exit(0);
}
