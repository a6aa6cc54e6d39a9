// SPDX-License-Identifier: Apache-2.0
// The harm classes as built: what a call may do that nobody has learned. The attacks come first.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fstream>
#include <set>
#include <sstream>

#include "lib/oci/seccomp.h"
#include "profiles/baselines/baselines.h"
#include "profiles/harm/danger.h"
#include "profiles/harm/harm_table.h"

namespace ward::profiles {
namespace {

constexpr auto kSelf = HarmClass::kSelf;
constexpr auto kHeld = HarmClass::kHeld;
constexpr auto kReach = HarmClass::kReach;
constexpr auto kDanger = HarmClass::kDanger;
constexpr std::uint64_t kUpperHalf = 1ULL << 40U;
constexpr OwnNumbers kCaller{100, 107};

KnownArguments with(std::initializer_list<std::uint64_t> values) {
  KnownArguments arguments;
  std::size_t index = 0;
  for (const std::uint64_t value : values) arguments.at(index++) = value;
  while (index < arguments.size()) arguments.at(index++) = 0;
  return arguments;
}

HarmClass of(std::string_view call, std::initializer_list<std::uint64_t> values) {
  return class_of(call, with(values), kCaller);
}

struct Attack {
  const char* what;
  std::string_view call;
  std::vector<std::uint64_t> arguments;
  HarmClass harm = HarmClass::kReach;
};

const std::vector<Attack>& attacks() {
  static const std::vector<Attack> all = {
      {"raises the limits of another process", "prlimit64", {1, 7, 0x1000, 0}},
      {"reads the limits of the init", "prlimit64", {1, 7, 0, 0x1000}},
      {"kills another process", "kill", {1, 9}},
      {"kills everything", "kill", {~0ULL, 9}},
      {"kills everything, as an int", "kill", {0xFFFFFFFF, 9}},
      {"kills the group of another", "kill", {static_cast<std::uint64_t>(-55L), 9}},
      {"looks which processes there are", "kill", {1, 0}},
      {"kills a thread of another process", "tgkill", {1, 1, 9}},
      {"kills a thread by its number", "tkill", {1, 9}},
      {"forges the sender of a signal", "rt_sigqueueinfo", {1, 12, 0x1000}},
      {"holds another process", "pidfd_open", {1, 0}},
      {"takes a descriptor of another process", "pidfd_getfd", {3, 4, 0}},
      {"lets anybody attach to it", "prctl", {0x59616d61, ~0ULL}},
      {"lets one attach to it", "prctl", {0x59616d61, 77}},
      {"becomes dumpable again", "prctl", {4, 1}},
      {"keeps capabilities over execve", "prctl", {47, 2, 10}},
      {"disguises itself", "prctl", {35, 8, 0x1000}, kDanger},
      {"disguises itself, with a stray upper half", "prctl", {35 | kUpperHalf, 8}, kDanger},
      {"hides behind a filter of its own", "prctl", {22, 2, 0x1000}, kDanger},
      {"hides behind a filter of its own", "seccomp", {1, 0, 0x1000}, kDanger},
      {"weakens its mitigations", "prctl", {53, 0, 2}},
      {"shares its core", "prctl", {62, 1, 1, 0, 0}},
      {"an option with an upper half", "prctl", {15 | kUpperHalf, 0x1000}},
      {"an option that nobody knows", "prctl", {9999}},
      {"a listening server connects out", "connect", {5, 0x1000, 16}},
      {"opens a back door", "bind", {5, 0x1000, 16}},
      {"opens a back door", "listen", {5, 1}},
      {"sends to an address of its choice", "sendto", {5, 0x1000, 20, 0, 0x2000, 16}},
      {"opens a connection while it sends", "sendto", {5, 0x1000, 20, 0x20000000, 0x2000, 16}},
      {"sends the urgent byte", "sendto", {5, 0x1000, 1, MSG_OOB, 0, 0}},
      {"receives the urgent byte", "recvfrom", {5, 0x1000, 1, MSG_OOB, 0, 0}},
      {"passes descriptors", "sendmsg", {5, 0x1000, 0}},
      {"receives descriptors", "recvmsg", {5, 0x1000, 0}},
      {"receives descriptors", "recvmmsg", {5, 0x1000, 1, 0, 0}},
      {"a plain socket", "socket", {AF_INET, SOCK_STREAM, 0}},
      {"a raw socket", "socket", {AF_INET, SOCK_RAW, 1}},
      {"packets", "socket", {AF_PACKET, SOCK_RAW, 0}, kDanger},
      {"ciphers", "socket", {AF_ALG, SOCK_SEQPACKET, 0}, kDanger},
      {"ciphers, with a stray upper half",
       "socket",
       {AF_ALG | kUpperHalf, SOCK_SEQPACKET, 0},
       kDanger},
      {"netfilter", "socket", {AF_NETLINK, SOCK_RAW, 12}, kDanger},
      {"the hypervisor", "socket", {40, SOCK_STREAM, 0}, kDanger},
      {"a pair of another family", "socketpair", {30, SOCK_STREAM, 0}},
      {"a raw pair", "socketpair", {AF_UNIX, SOCK_RAW, 0}},
      {"a filter in the kernel", "setsockopt", {5, SOL_SOCKET, 26, 0x1000, 16}},
      {"a program in the kernel", "setsockopt", {5, SOL_SOCKET, 50, 0x1000, 4}},
      {"binds to a device", "setsockopt", {5, SOL_SOCKET, 25, 0x1000, 5}},
      {"loads kTLS", "setsockopt", {5, IPPROTO_TCP, TCP_ULP, 0x1000, 4}},
      {"replaces tables of netfilter", "setsockopt", {5, IPPROTO_IP, 64, 0x1000, 64}},
      {"a known number on an unknown level", "setsockopt", {5, 263, SO_REUSEADDR, 0x1000, 4}},
      {"reads tables of netfilter", "getsockopt", {5, IPPROTO_IP, 64, 0x1000, 0x2000}},
      {"executable memory",
       "mmap",
       {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, ~0ULL, 0}},
      {"memory to write to and execute",
       "mmap",
       {0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, ~0ULL, 0}},
      {"huge pages", "mmap", {0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, ~0ULL, 0}},
      {"makes data executable", "mprotect", {0x1000, 4096, PROT_READ | PROT_EXEC}},
      {"makes data executable", "pkey_mprotect", {0x1000, 4096, PROT_EXEC, 0}},
      {"a program without a file", "memfd_create", {0x1000, 0}},
      {"hides from evidence", "memfd_secret", {0}},
      {"old segments", "modify_ldt", {1, 0x1000, 16}},
      {"races with page faults", "userfaultfd", {0}, kDanger},
      {"leaves ranges to userfaultfd", "mremap", {0x1000, 4096, 4096, 7}},
      {"shares pages by content", "madvise", {0x1000, 4096, 12}},
      {"poisons a page", "madvise", {0x1000, 4096, 100}},
      {"switches faults of CPUID on", "arch_prctl", {0x1012, 0}},
      {"takes its shadow stack away", "arch_prctl", {0x5002, 1}},
      {"requeues with priority", "futex", {0x1000, 12, 1, 1, 0x2000, 0}},
      {"requeues with priority, privately", "futex", {0x1000, 12 | 128, 1, 1, 0x2000, 0}},
      {"a queue of notifications", "pipe2", {0x1000, 0x80}},
      {"pages into a pipe", "splice", {3, 0, 4, 0, 1, 0}},
      {"pages into a pipe", "tee", {3, 4, 1, 0}},
      {"own pages into a pipe", "vmsplice", {4, 0x1000, 1, 0}},
      {"another program", "execve", {0x1000, 0, 0}},
      {"another program", "execveat", {3, 0x1000, 0, 0, 0x1000}},
      {"another process", "fork", {}},
      {"another process", "clone", {0x1200011}},
      {"a user namespace", "clone", {CLONE_NEWUSER | 17}, kDanger},
      {"a user namespace for a thread",
       "clone",
       {CLONE_NEWUSER | 0x10000 | 0x100 | 0x800},
       kDanger},
      {"a user namespace, with a stray upper half", "clone", {CLONE_NEWUSER | kUpperHalf}, kDanger},
      {"namespaces behind a pointer", "clone3", {0x1000, 88}},
      {"a namespace", "unshare", {CLONE_NEWUSER}, kDanger},
      {"the node's namespaces", "setns", {3, 0}, kDanger},
      {"another process's memory", "process_vm_writev", {1, 0, 1, 0, 1, 0}, kDanger},
      {"another process", "ptrace", {16, 1}, kDanger},
      {"another process", "ptrace", {0}, kDanger},
      {"becomes root again", "setuid", {0}},
      {"becomes root again", "setresuid", {0, 0, 0}},
      {"a program that runs as its owner", "chmod", {0x1000, 04755}},
      {"a program that runs as its owner", "fchmod", {3, 04755}},
      {"a program that runs as its owner", "fchmodat", {0xFFFFFF9C, 0x1000, 02755}},
      {"a program that runs as its owner", "fchmodat2", {0xFFFFFF9C, 0x1000, 04755, 0}},
      {"a program that runs as its owner", "open", {0x1000, O_CREAT | O_WRONLY, 04755}},
      {"a program that runs as its owner",
       "openat",
       {0xFFFFFF9C, 0x1000, O_CREAT | O_WRONLY, 04755}},
      {"a nameless one", "openat", {0xFFFFFF9C, 0x1000, 020200000 | O_WRONLY, 04755}},
      {"a program that runs as its owner", "creat", {0x1000, 04755}},
      {"a program that runs as its owner", "mknod", {0x1000, S_IFREG | 04755, 0}},
      {"a program with capabilities", "setxattr", {0x1000, 0x2000, 0x3000, 20, 0}},
      {"a disk", "mknod", {0x1000, S_IFBLK | 0600, 0x800}},
      {"memory of the node", "mknodat", {3, 0x1000, S_IFCHR | 0600, 0x101}},
      {"flags behind a pointer", "openat2", {0xFFFFFF9C, 0x1000, 0x2000, 24}},
      {"files by number", "open_by_handle_at", {3, 0x1000, 0}, kDanger},
      {"half of it", "name_to_handle_at", {3, 0x1000, 0x2000, 0x3000, 0}},
      {"types into a terminal", "ioctl", {0, TIOCSTI, 0x1000}},
      {"types into a terminal", "ioctl", {0, TIOCLINUX, 0x1000}},
      {"a line discipline", "ioctl", {0, TIOCSETD, 0x1000}},
      {"a request that nobody knows", "ioctl", {3, 0x12345678, 0}},
      {"a known request with an upper half", "ioctl", {3, FIONREAD | kUpperHalf, 0}},
      {"signals to another", "fcntl", {3, 8, 1}},
      {"slows another process down", "sched_setaffinity", {1, 8, 0x1000}},
      {"slows another process down", "setpriority", {0, 1, 19}},
      {"slows all of a user down", "setpriority", {2, 0, 19}},
      {"slows another process down", "ioprio_set", {1, 1, 0}},
      {"shared memory", "shmget", {0, 4096, 01600}},
      {"shared memory", "shmat", {1, 0, 0}},
      {"arranges the heap of the kernel", "msgsnd", {1, 0x1000, 48, 0}},
      {"another root", "chroot", {0x1000}},
      {"a mount", "mount", {}, kDanger},
      {"a mount of 6.15", "open_tree_attr", {}, kDanger},
      {"a mount", "fsconfig", {}, kDanger},
      {"queues that no filter sees", "io_uring_setup", {8, 0x1000}, kDanger},
      {"weak addresses", "personality", {0x40000}, kDanger},
      {"a new label", "lsm_set_self_attr", {}},
      {"a call that nobody knows", "no_such_call", {}},
  };
  return all;
}

TEST(HarmClasses, FirstStepsOfAnAttackAreReachOrDanger) {
  for (const Attack& attack : attacks()) {
    KnownArguments arguments;
    for (std::size_t i = 0; i < 6; ++i)
      arguments.at(i) = i < attack.arguments.size() ? attack.arguments[i] : 0;
    EXPECT_EQ(class_of(attack.call, arguments, kCaller), attack.harm)
        << attack.what << ": " << attack.call;
    // Whoever does not know the caller's own numbers must not be milder.
    EXPECT_EQ(class_of(attack.call, arguments), attack.harm) << attack.what << ": " << attack.call;
    EXPECT_GE(class_of(attack.call, {}), kReach) << attack.what << ": " << attack.call;
  }
}

// What other exercises of the same programs were stopped for.
TEST(HarmClasses, WhatProgramsDoInAnotherExerciseIsSelfOrHeld) {
  EXPECT_EQ(of("getrusage", {0}), kSelf);
  EXPECT_EQ(of("rt_sigsuspend", {0x1000, 8}), kSelf);
  EXPECT_EQ(of("setitimer", {0, 0x1000, 0}), kSelf);
  EXPECT_EQ(of("eventfd2", {0, 0x80800}), kSelf);
  EXPECT_EQ(of("epoll_pwait2", {3, 0x1000, 8, 0x2000, 0, 8}), kSelf);
  EXPECT_EQ(of("prlimit64", {0, 7, 0, 0x1000}), kSelf);
  EXPECT_EQ(of("prlimit64", {100, 7, 0, 0x1000}), kSelf);
  EXPECT_EQ(of("prctl", {15, 0x1000}), kSelf);
  EXPECT_EQ(of("prctl", {0x53564d41, 0, 0x1000, 4096, 0x2000}), kSelf);
  EXPECT_EQ(of("prctl", {4, 0}), kSelf);
  EXPECT_EQ(of("mmap", {0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, ~0ULL, 0}), kSelf);
  EXPECT_EQ(of("mmap", {0, 4096, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
                        0xFFFFFFFF, 0}),
            kSelf);
  EXPECT_EQ(of("mmap", {0, 4096, 3, MAP_SHARED, 5, 0}), kHeld);
  EXPECT_EQ(of("mprotect", {0x1000, 4096, 3}), kSelf);
  EXPECT_EQ(of("madvise", {0x1000, 4096, 4}), kSelf);
  EXPECT_EQ(of("futex", {0x1000, 128, 1, 0, 0, 0}), kSelf);
  EXPECT_EQ(of("futex", {0x1000, 9 | 128 | 256, 1, 0, 0, 0xFFFFFFFF}), kSelf);
  EXPECT_EQ(of("tgkill", {100, 107, 6}), kSelf);
  EXPECT_EQ(of("kill", {100, 15}), kSelf);
  EXPECT_EQ(of("kill", {0, 15}), kHeld);
  EXPECT_EQ(of("sched_getaffinity", {0, 128, 0x1000}), kSelf);
  EXPECT_EQ(of("sched_setaffinity", {107, 128, 0x1000}), kSelf);
  EXPECT_EQ(of("pwrite64", {3, 0x1000, 8192, 0}), kHeld);
  EXPECT_EQ(of("fsync", {3}), kHeld);
  EXPECT_EQ(of("ftruncate", {3, 0}), kHeld);
  EXPECT_EQ(of("sendfile", {3, 4, 0, 4096}), kHeld);
  EXPECT_EQ(of("dup2", {3, 1}), kHeld);
  EXPECT_EQ(of("rename", {0x1000, 0x2000}), kHeld);
  EXPECT_EQ(of("mkdir", {0x1000, 0755}), kHeld);
  EXPECT_EQ(of("chmod", {0x1000, 0644}), kHeld);
  EXPECT_EQ(of("chmod", {0x1000, 01777}), kHeld);
  EXPECT_EQ(of("getxattr", {0x1000, 0x2000, 0, 0}), kHeld);
  EXPECT_EQ(of("inotify_add_watch", {3, 0x1000, 2}), kHeld);
  EXPECT_EQ(of("openat", {0xFFFFFF9C, 0x1000, O_CREAT | O_RDWR | O_TRUNC, 0644}), kHeld);
  EXPECT_EQ(of("openat", {0xFFFFFF9C, 0x1000, 0, 0x7F0012345E55}),
            kHeld);  // no O_CREAT: the mode is what lay there
  EXPECT_EQ(of("mknodat", {3, 0x1000, S_IFIFO | 0600, 0}), kHeld);
  EXPECT_EQ(of("sendto", {5, 0x1000, 20, MSG_NOSIGNAL, 0, 0}), kHeld);
  EXPECT_EQ(of("recvfrom", {5, 0x1000, 20, MSG_PEEK, 0x2000, 0x3000}), kHeld);
  EXPECT_EQ(of("accept4", {3, 0x1000, 0x2000, SOCK_CLOEXEC | SOCK_NONBLOCK}), kHeld);
  EXPECT_EQ(of("setsockopt", {5, IPPROTO_TCP, TCP_NODELAY, 0x1000, 4}), kHeld);
  EXPECT_EQ(of("getsockopt", {5, SOL_SOCKET, SO_ERROR, 0x1000, 0x2000}), kSelf);
  EXPECT_EQ(of("io_submit", {0x1000, 1, 0x2000}), kHeld);
  EXPECT_EQ(of("clone", {0x3d0f00}), kHeld);  // a thread of glibc
  EXPECT_EQ(of("clone", {0x7d0f00}), kHeld);  // of musl: CLONE_DETACHED besides
  EXPECT_EQ(of("clone", {0x50f00}), kHeld);   // of Go
  EXPECT_EQ(of("ioctl", {1, TCGETS, 0x1000}), kSelf);
  EXPECT_EQ(of("socketpair", {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 0x1000}), kHeld);
}

TEST(HarmClasses, MuslPassesARequestAsANegativeLong) {
  constexpr std::uint64_t kGetFlags = 0x80086601;
  EXPECT_EQ(of("ioctl", {3, kGetFlags, 0x1000}), kHeld);
  EXPECT_EQ(of("ioctl", {3, kGetFlags | 0xFFFFFFFF00000000ULL, 0x1000}), kHeld);
  EXPECT_EQ(of("ioctl", {3, kGetFlags | kUpperHalf, 0x1000}), kReach);
}

TEST(HarmClasses, WhatIsNotKnownIsTakenForTheStrictest) {
  EXPECT_EQ(class_of("prctl"), kDanger);
  EXPECT_EQ(class_of("socket"), kDanger);
  EXPECT_EQ(class_of("clone"), kDanger);
  EXPECT_EQ(class_of("mmap"), kReach);
  EXPECT_EQ(class_of("kill"), kReach);
  EXPECT_EQ(class_of("getpid"), kSelf);
  KnownArguments half;
  half[3] = MAP_PRIVATE | MAP_ANONYMOUS;
  EXPECT_EQ(class_of("mmap", half), kReach);
  half[2] = PROT_READ;
  EXPECT_EQ(class_of("mmap", half), kSelf);
}

TEST(HarmClasses, ANumberIsTheCallersOwnOnlyWhereTheCallerIsKnown) {
  EXPECT_EQ(class_of("kill", with({100, 15})), kReach);
  EXPECT_EQ(class_of("tgkill", with({100, 107, 6})), kReach);
  EXPECT_EQ(class_of("kill", with({0, 15}), OwnNumbers{0, 0}), kHeld);
  EXPECT_EQ(class_of("tkill", with({0, 15}), OwnNumbers{0, 0}), kReach);
  EXPECT_EQ(class_of("kill", with({100 | kUpperHalf, 15}), kCaller), kReach);
}

TEST(HarmClasses, ACallOfAnotherArchitectureIsDanger) {
  EXPECT_EQ(class_of(AUDIT_ARCH_X86_64, SYS_getpid, {}), kSelf);
  EXPECT_EQ(class_of(AUDIT_ARCH_I386, SYS_getpid, {}), kDanger);
  EXPECT_EQ(class_of(AUDIT_ARCH_X86_64, 0x40000000U | SYS_getpid, {}), kDanger);
  EXPECT_EQ(class_of(AUDIT_ARCH_X86_64, 5000, {}), kReach);
}

TEST(HarmClasses, EveryCallHasOneClass) {
  std::set<std::string_view> names;
  std::set<std::uint32_t> numbers;
  for (const HarmCall& call : harm_calls()) {
    EXPECT_TRUE(names.insert(call.name).second) << call.name;
    EXPECT_TRUE(numbers.insert(call.nr).second) << call.name;
    EXPECT_FALSE(call.reason.why.empty()) << call.name;
    EXPECT_FALSE(call.reason.docker.empty()) << call.name;
    EXPECT_FALSE(call.reason.systemd.empty()) << call.name;
    EXPECT_EQ(find_harm_call(call.nr), &call);
    EXPECT_EQ(find_harm_call(call.name), &call);
    for (const HarmValue& value : call.values) EXPECT_FALSE(value.reason.why.empty()) << call.name;
  }
  constexpr std::uint32_t kThrough = 469;
  for (const auto& [name, nr] : oci::known_syscalls()) {
    if (static_cast<std::uint32_t>(nr) > kThrough) continue;
    const HarmCall* call = find_harm_call(name);
    ASSERT_NE(call, nullptr) << name;
    EXPECT_EQ(call->nr, static_cast<std::uint32_t>(nr)) << name;
  }
  for (std::uint32_t nr = 0; nr <= kThrough; ++nr) {
    if (nr > 336 && nr < 424) continue;  // the kernel's table has a gap there
    EXPECT_NE(find_harm_call(nr), nullptr) << nr;
  }
}

// What it holds must be what people see of it (docs/threat-model.md, profile-format.md), and what
// supervise denies.
TEST(HarmClasses, TheDangerSetIsClassDanger) {
  for (const std::string_view name : {"add_key",
                                      "bpf",
                                      "delete_module",
                                      "finit_module",
                                      "fsconfig",
                                      "fsmount",
                                      "fsopen",
                                      "fspick",
                                      "init_module",
                                      "io_uring_enter",
                                      "io_uring_register",
                                      "io_uring_setup",
                                      "kexec_file_load",
                                      "kexec_load",
                                      "keyctl",
                                      "mount",
                                      "mount_setattr",
                                      "move_mount",
                                      "open_by_handle_at",
                                      "open_tree",
                                      "open_tree_attr",
                                      "perf_event_open",
                                      "personality",
                                      "pivot_root",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "ptrace",
                                      "request_key",
                                      "seccomp",
                                      "setns",
                                      "umount2",
                                      "unshare",
                                      "userfaultfd"}) {
    EXPECT_TRUE(is_dangerous_call(name)) << name;
    EXPECT_EQ(class_of(name), kDanger) << name;
  }
  EXPECT_EQ(dangerous_calls().size(), 33U);
  std::set<std::string> values;
  for (const DangerousValue& value : dangerous_values())
    values.insert(std::string(value.syscall) + " " + std::to_string(value.index) + " " +
                  std::to_string(value.value));
  EXPECT_EQ(values, (std::set<std::string>{"prctl 0 22", "prctl 0 35", "socket 0 16", "socket 0 17",
                                           "socket 0 38", "socket 0 40"}));
  for (const HarmCall& call : harm_calls()) {
    for (const HarmValue& value : call.values) {
      if (value.harm != kDanger) continue;
      ASSERT_EQ(value.conditions.size(), 1U) << call.name;
      if (value.conditions.front().any) {
        EXPECT_EQ(call.name, "clone");
        EXPECT_EQ(value.conditions.front().mask, kNamespaceFlags);
      }
    }
  }
}

TEST(HarmClasses, WhatDockersDefaultDoesIsWhatTheListSays) {
  const auto& allowed = docker_default_unconditional();
  // By architecture and by kernel, not by container.
  const std::set<std::string_view> besides = {"arch_prctl", "modify_ldt", "ptrace",
                                              "process_vm_readv", "process_vm_writev"};
  // Those that this libseccomp may not know.
  const std::set<std::string_view> newer = {"uretprobe",   "statmount",    "listmount",
                                            "mseal",       "setxattrat",   "getxattrat",
                                            "listxattrat", "removexattrat"};
  for (const HarmCall& call : harm_calls()) {
    const bool listed = std::find(allowed.begin(), allowed.end(), call.name) != allowed.end() ||
                        besides.contains(call.name) || newer.contains(call.name);
    EXPECT_EQ(call.reason.docker == "allow", listed) << call.name;
  }
  EXPECT_EQ(find_harm_call("clone")->reason.docker, "values");
  EXPECT_EQ(find_harm_call("socket")->reason.docker, "values");
  EXPECT_EQ(find_harm_call("personality")->reason.docker, "values");
}

TEST(HarmClasses, WhatIsBelowReachIsAllowedByDockersDefault) {
  const SyscallSet& docker = *find_baseline("docker-default");
  for (const HarmCall& call : harm_calls()) {
    const auto check = [&](HarmClass harm, const HarmReason& reason) {
      if (harm >= kReach) return;
      EXPECT_EQ(reason.docker, "allow") << call.name;
      if (!oci::find_syscall(call.name) || call.name == "arch_prctl") return;
      EXPECT_TRUE(docker.contains(std::string(call.name))) << call.name;
    };
    check(call.harm, call.reason);
    for (const HarmValue& value : call.values) check(value.harm, value.reason);
  }
}

// The list is what a reviewer reads: whoever changes it changes tests/golden/harm_holes.txt, and is
// asked why.
TEST(HarmClasses, WhatNamesAHoleBelowReachIsTheReviewedList) {
  std::string holes;
  for (const HarmCall& call : harm_calls()) {
    const auto add = [&](HarmClass harm, std::string_view shown, const HarmReason& reason) {
      if (harm >= kReach || reason.opens.empty()) return;
      EXPECT_FALSE(reason.why.empty() || reason.sources.empty()) << call.name;
      EXPECT_EQ(reason.docker, "allow") << call.name;
      holes += std::string(harm_class_name(harm)) + " " + std::string(call.name);
      if (!shown.empty()) holes += " (" + std::string(shown) + ")";
      holes += ": " + std::string(reason.opens) + "\n";
    };
    add(call.harm, "", call.reason);
    for (const HarmValue& value : call.values) add(value.harm, value.shown, value.reason);
  }
  std::ifstream file("tests/golden/harm_holes.txt");
  std::stringstream reviewed;
  reviewed << file.rdbuf();
  EXPECT_EQ(holes, reviewed.str());
}

TEST(HarmClasses, WhatAFilterGetsIsNeverWiderThanTheClass) {
  for (const HarmCall& call : harm_calls()) {
    for (const HarmClass most : {kSelf, kHeld}) {
      for (const auto& alternative : alternatives_at_most(call, most)) {
        KnownArguments arguments;
        for (const ArgFilter& filter : alternative) {
          ASSERT_FALSE(filter.one_of.empty()) << call.name;
          arguments.at(filter.index) = filter.one_of.front();
        }
        EXPECT_LE(class_of(call, arguments), most) << call.name;
        // One stray upper half is enough to leave, but where only named bits are looked at.
        for (const ArgFilter& filter : alternative) {
          if (filter.mask && (*filter.mask >> 32U) == 0) continue;
          KnownArguments stray = arguments;
          stray.at(filter.index) = filter.one_of.front() | kUpperHalf;
          EXPECT_GE(class_of(call, stray), kReach) << call.name;
        }
      }
    }
  }
  EXPECT_EQ(alternatives_at_most(*find_harm_call("getpid"), kSelf).size(), 1U);
  EXPECT_TRUE(alternatives_at_most(*find_harm_call("getpid"), kSelf).front().empty());
  EXPECT_TRUE(alternatives_at_most(*find_harm_call("fsync"), kSelf).empty());
  EXPECT_TRUE(alternatives_at_most(*find_harm_call("tgkill"), kSelf)
                  .empty());  // whose number it is, only we can tell
  const auto kill = alternatives_at_most(*find_harm_call("kill"), kHeld);
  ASSERT_EQ(kill.size(), 1U);
  EXPECT_EQ(kill.front(), (std::vector<ArgFilter>{{0, std::nullopt, {0}}}));
  EXPECT_TRUE(alternatives_at_most(*find_harm_call("execve"), kHeld).empty());
  EXPECT_EQ(alternatives_at_most(*find_harm_call("execve"), kReach).size(), 1U);
  EXPECT_TRUE(alternatives_at_most(*find_harm_call("socket"), kReach)
                  .empty());  // all but four values cannot be said
}

}  // namespace
}  // namespace ward::profiles
