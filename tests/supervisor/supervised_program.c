// SPDX-License-Identifier: Apache-2.0
// The workload of the supervisor's tests: a static program that does what its arguments say, one
// after the other, and appends what came of it to /out. mkdir stands for every call that a profile
// does not allow: it leaves a mark.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char* what, long result) {
  char line[128];
  const int n = snprintf(line, sizeof line, "%s %ld %d\n", what, result, result < 0 ? errno : 0);
  const int fd = open("/out", O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (write(fd, line, (size_t)n) != n) _exit(9);
  close(fd);
}

static void crowd(int size) {
  for (int i = 0; i < size; ++i) {
    if (fork() == 0) {
      for (;;) pause();
    }
  }
}

// Forks as fast as the pids limit lets it, for ever.
static void bomb(void) {
  if (fork() == 0) {
    for (;;) {
      if (fork() == 0) usleep(1000);
    }
  }
}

int main(int argc, char** argv) {
  signal(SIGCHLD, SIG_IGN);
  for (int i = 1; i < argc; ++i) {
    const char* verb = argv[i];
    if (strcmp(verb, "mkdir") == 0) tell("mkdir", mkdir("/made", 0700));
    if (strcmp(verb, "rmdir") == 0) tell("rmdir", rmdir("/made"));
    if (strcmp(verb, "unshare") == 0) tell("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    if (strcmp(verb, "ready") == 0) tell("ready", 0);
    if (strcmp(verb, "nap") == 0) usleep(300000);
    if (strcmp(verb, "crowd") == 0) crowd(20);
    if (strcmp(verb, "bomb") == 0) bomb();
    if (strcmp(verb, "flood") == 0) {
      long denied = 0;
      for (int n = 0; n < 100000; ++n)
        denied += mkdir("/made", (mode_t)(n & 0777)) == -1 && errno == EPERM;
      tell("flood", denied);
    }
    if (strcmp(verb, "hold") == 0) {
      for (;;) pause();
    }
  }
  return 0;
}
