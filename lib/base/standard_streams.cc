// SPDX-License-Identifier: Apache-2.0
#include "lib/base/standard_streams.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ward {
namespace {

// By system calls alone: at that moment nothing else is initialised.
void open_missing_streams() {
  // The lowest free descriptor is taken each time. Children inherit these three, so they are not
  // CLOEXEC.
  long fd = 0;
  do fd = ::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
  while (fd >= 0 && fd < 3);
  if (fd >= 3) ::syscall(SYS_close, fd);
}

// Shared libraries have initialisers, and gRPC's make an eventfd: only what stands here runs before
// them.
__attribute__((section(".preinit_array"),
               used)) void (*const kBeforeLibraries)() = open_missing_streams;

}  // namespace

void open_standard_streams() { open_missing_streams(); }

}  // namespace ward
