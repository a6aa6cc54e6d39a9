// SPDX-License-Identifier: Apache-2.0
// Stands before runc: becomes it, except that one verb dies of SIGKILL some milliseconds after it
// began. Which one is said by the file `die` beside this program, "VERB MILLISECONDS"; without the
// file nothing dies. For tests of what is left when a runtime is killed in the middle of its work.
#define _GNU_SOURCE
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// A descriptor and not a pid: this process may have ended, and its number be another's.
static void kill_later(int milliseconds) {
  const int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
  if (self < 0 || fork() != 0) return;
  // Nothing of the caller's stays open here: it would wait for the end of its pipes.
  dup2(self, 0);
  syscall(SYS_close_range, 1, ~0U, 0);
  poll(NULL, 0, milliseconds);
  syscall(SYS_pidfd_send_signal, 0, SIGKILL, NULL, 0);
  _exit(0);
}

static FILE* open_order(void) {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path - 8);
  if (size <= 0) return NULL;
  path[size] = '\0';
  strcpy(strrchr(path, '/') + 1, "die");
  return fopen(path, "re");
}

int main(int argc, char** argv) {
  char verb[32];
  int milliseconds = 0;
  FILE* order = open_order();
  if (order != NULL && fscanf(order, "%31s %d", verb, &milliseconds) == 2)
    for (int i = 1; i < argc; ++i)
      if (strcmp(argv[i], verb) == 0) {
        kill_later(milliseconds);
        break;
      }
  execvp("runc", argv);
  perror("runc");
  return 127;
}
