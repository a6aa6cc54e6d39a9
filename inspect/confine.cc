// SPDX-License-Identifier: Apache-2.0
#include "inspect/confine.h"

#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace ward::inspect {
namespace {

#ifdef __SANITIZE_ADDRESS__  // reserves more than any bound that would mean something
constexpr bool kBoundsMemory = false;
#else
constexpr bool kBoundsMemory = true;
#endif
constexpr rlim_t kMemoryBytes = 192U << 20U;
constexpr rlim_t kProcessor_s = 3;

bool bound(__rlimit_resource resource, rlim_t most) {
  const rlimit limit{most, most};
  return ::setrlimit(resource, &limit) == 0;
}

bool has_no_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  return ::syscall(SYS_capset, &header, data) == 0;
}

bool load_filter() {
  const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == nullptr) return false;
  bool added = true;
  constexpr std::array kCalls = {SCMP_SYS(read),         SCMP_SYS(pread64), SCMP_SYS(write),
                                 SCMP_SYS(fstat),        SCMP_SYS(brk),     SCMP_SYS(munmap),
                                 SCMP_SYS(mremap),       SCMP_SYS(madvise), SCMP_SYS(exit_group),
                                 SCMP_SYS(rt_sigreturn), SCMP_SYS(futex)};
  for (const int call : kCalls)
    added = added && ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  // Memory that holds data, and no program.
  added = added && ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                      SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0)) == 0;
  const bool loaded = added && ::seccomp_load(filter) == 0;
  ::seccomp_release(filter);
  return loaded;
}

}  // namespace

bool confine() {
  ::alarm(kLongestLife_s);
  if (!bound(RLIMIT_CPU, kProcessor_s) || !bound(RLIMIT_CORE, 0) || !bound(RLIMIT_FSIZE, 0))
    return false;
  if (kBoundsMemory && !bound(RLIMIT_AS, kMemoryBytes)) return false;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
      ::setresuid(kNobody, kNobody, kNobody) != 0)
    return false;
  if (!has_no_capabilities() || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || ::getppid() == 1 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return false;
  return load_filter();
}

}  // namespace ward::inspect
