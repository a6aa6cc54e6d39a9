// SPDX-License-Identifier: Apache-2.0
#include "profiles/runtime_calls.h"

#include <algorithm>
#include <iterator>

#include "profiles/harm/danger.h"

namespace ward::profiles {
namespace {

// Of all the versions of runc that were measured for this source, 1.1.5 to 1.3.6. prctl has values
// in the danger set, and runc sets its capabilities with it.
constexpr std::string_view kKnown[] = {
    "capget",    "capset",     "chdir",      "close",  "close_range", "epoll_ctl",
    "execve",    "faccessat",  "faccessat2", "fcntl",  "fstat",       "fstatfs",
    "getcwd",    "getdents64", "getgid",     "getpid", "getppid",     "newfstatat",
    "openat",    "openat2",    "prctl",      "read",   "recvfrom",    "setgid",
    "setgroups", "setuid",     "statx",      "tgkill", "uname",       "write"};

// 25 measurements of runc 1.1.5 and eight of 1.3.6 differed in the first three.
constexpr std::string_view kOfScheduler[] = {"futex",   "rt_sigreturn", "mmap",       "munmap",
                                             "madvise", "nanosleep",    "sched_yield"};

}  // namespace

RuntimeCalls runtime_calls(const std::set<std::string>& measured) {
  RuntimeCalls out;
  out.allowed.insert(std::begin(kKnown), std::end(kKnown));
  out.allowed.insert(std::begin(kOfScheduler), std::end(kOfScheduler));
  for (const std::string& call : measured) {
    if (out.allowed.contains(call)) continue;
    if (describe_danger(SyscallEntry{call, {}}).empty()) {
      out.allowed.insert(call);
    } else {
      out.left_out.push_back(call);
    }
  }
  return out;
}

bool is_of_scheduler(std::string_view syscall) {
  return std::find(std::begin(kOfScheduler), std::end(kOfScheduler), syscall) !=
         std::end(kOfScheduler);
}

}  // namespace ward::profiles
