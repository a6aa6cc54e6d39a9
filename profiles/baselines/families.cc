// SPDX-License-Identifier: Apache-2.0
// Which call is made is a choice of the C library's version, its fallbacks and the moment; what it
// does is the same. Learning one means learning the family. Families never cross into more power:
// openat2 (flags behind a pointer) is not open.
#include <algorithm>

#include "lib/oci/seccomp.h"
#include "profiles/baselines/baselines.h"

namespace ward::profiles {
namespace {

const std::vector<std::vector<std::string_view>>& families() {
  static const std::vector<std::vector<std::string_view>> list = {
      {"stat", "fstat", "lstat", "newfstatat", "statx"},
      {"statfs", "fstatfs"},
      {"open", "openat"},
      {"access", "faccessat", "faccessat2"},
      {"poll", "ppoll"},
      {"select", "pselect6"},
      {"epoll_wait", "epoll_pwait"},
      {"epoll_create", "epoll_create1"},
      {"eventfd", "eventfd2"},
      {"signalfd", "signalfd4"},
      {"inotify_init", "inotify_init1"},
      {"pipe", "pipe2"},
      {"dup", "dup2", "dup3"},
      {"accept", "accept4"},
      {"recvmsg", "recvmmsg"},
      {"sendmsg", "sendmmsg"},
      {"getdents", "getdents64"},
      {"readlink", "readlinkat"},
      {"unlink", "unlinkat", "rmdir"},  // rmdir is unlinkat(AT_REMOVEDIR)
      {"mkdir", "mkdirat"},
      {"link", "linkat"},
      {"symlink", "symlinkat"},
      {"rename", "renameat", "renameat2"},
      {"chmod", "fchmod", "fchmodat", "fchmodat2"},
      {"chown", "fchown", "lchown", "fchownat"},
      {"utime", "utimes", "futimesat", "utimensat"},
      {"mknod", "mknodat"},
      {"fork", "vfork", "clone"},
      {"wait4", "waitid"},
      {"nanosleep", "clock_nanosleep"},
      {"getrlimit", "setrlimit", "prlimit64"},
      {"preadv", "preadv2"},
      {"pwritev", "pwritev2"},
      {"setitimer", "alarm"},
  };
  return list;
}

}  // namespace

std::vector<std::string> family_of(std::string_view name) {
  for (const auto& family : families()) {
    if (std::find(family.begin(), family.end(), name) == family.end()) continue;
    std::vector<std::string> known;
    for (const std::string_view member : family) {
      if (oci::find_syscall(member)) known.emplace_back(member);
    }
    return known;
  }
  return {std::string(name)};
}

}  // namespace ward::profiles
