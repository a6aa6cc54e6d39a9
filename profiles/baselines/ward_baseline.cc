// SPDX-License-Identifier: Apache-2.0
// What a recording of hours can miss and the next run needs: signal delivery, exit and abort paths,
// memory, thread start and stop, clocks that become system calls when the vDSO gives up, waits
// before another try, and allocators under contention. Each is harmless by itself. What the C
// libraries do at such moments is measured (docs/results/baselines.json).
#include "lib/oci/seccomp.h"
#include "profiles/baselines/tables.h"

namespace ward::profiles {
namespace {

constexpr std::string_view kWardBaseline[] = {
    // vDSO calls, on a clocksource without vDSO
    "clock_getres", "clock_gettime", "getcpu", "gettimeofday", "time",
    // signals, waits for them, and restarts
    "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack",
    // waits before another try, and limits on them: sleep() of glibc is clock_nanosleep, of musl
    // nanosleep, which also writes alarm() as setitimer
    "alarm", "clock_nanosleep", "nanosleep", "poll", "setitimer",
    // exit, abort() and raise(). Not tkill, by which musl raises: it would reach other processes,
    // and postures let run what goes to the caller itself
    "exit", "exit_group", "getpid", "gettid", "tgkill",
    // memory; sched_getaffinity is how malloc counts processors when arenas are contended
    "brk", "madvise", "mmap", "mprotect", "mremap", "munmap", "sched_getaffinity",
    // threads; numbers the table of this libseccomp lacks are skipped
    "arch_prctl", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
    "get_robust_list", "membarrier", "rseq", "sched_yield", "set_robust_list", "set_tid_address",
    // randomness for hash seeds and malloc; qsort() of glibc asks for the size of memory when it
    // first sorts something
    // large
    "getrandom", "sysinfo",
    // stdio: the first write to a stream and its flush at exit
    "fstat", "lseek",
    // last words on an open descriptor; write can never be filtered (K1)
    "close", "read", "write", "writev"};

}  // namespace

const SyscallSet& ward_baseline() {
  static const SyscallSet set = [] {
    SyscallSet made;
    for (const std::string_view name : kWardBaseline) {
      if (oci::find_syscall(name))
        made.emplace(std::string(name), SyscallEntry{std::string(name), {}});
    }
    return made;
  }();
  return set;
}

}  // namespace ward::profiles
