// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/decode_args.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <span>
#include <string_view>

namespace ward::shim::supervisor {
namespace {

struct Name {
  std::uint64_t value;
  std::string_view name;
};

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string plain(std::uint64_t value) {
  return value < 65536 ? std::to_string(value) : hexadecimal(value);
}

std::string signed_number(std::uint64_t value) {
  return std::to_string(static_cast<std::int32_t>(value));
}

std::string one_of(std::span<const Name> names, std::uint64_t value) {
  for (const auto& name : names) {
    if (name.value == value) return std::string(name.name);
  }
  return plain(value);
}

// Named bits joined by '|', what is left in hex; "0" for nothing.
std::string flags(std::span<const Name> names, std::uint64_t value) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    if (!text.empty()) text += '|';
    text += part;
  };
  for (const auto& name : names) {
    if (name.value != 0 && (value & name.value) == name.value) {
      add(name.name);
      value &= ~name.value;
    }
  }
  if (value != 0) add(hexadecimal(value));
  return text.empty() ? "0" : text;
}

#define WARD_NAME(constant) \
  Name { static_cast<std::uint64_t>(constant), #constant }

constexpr std::array kCloneFlags{
    WARD_NAME(CLONE_NEWNS),    WARD_NAME(CLONE_NEWCGROUP),     WARD_NAME(CLONE_NEWUTS),
    WARD_NAME(CLONE_NEWIPC),   WARD_NAME(CLONE_NEWUSER),       WARD_NAME(CLONE_NEWPID),
    WARD_NAME(CLONE_NEWNET),   WARD_NAME(CLONE_NEWTIME),       WARD_NAME(CLONE_VM),
    WARD_NAME(CLONE_FS),       WARD_NAME(CLONE_FILES),         WARD_NAME(CLONE_SIGHAND),
    WARD_NAME(CLONE_PIDFD),    WARD_NAME(CLONE_PTRACE),        WARD_NAME(CLONE_VFORK),
    WARD_NAME(CLONE_PARENT),   WARD_NAME(CLONE_THREAD),        WARD_NAME(CLONE_SYSVSEM),
    WARD_NAME(CLONE_SETTLS),   WARD_NAME(CLONE_PARENT_SETTID), WARD_NAME(CLONE_CHILD_CLEARTID),
    WARD_NAME(CLONE_UNTRACED), WARD_NAME(CLONE_CHILD_SETTID),  WARD_NAME(CLONE_IO)};

constexpr std::array kFamilies{WARD_NAME(AF_UNSPEC),    WARD_NAME(AF_UNIX),    WARD_NAME(AF_INET),
                               WARD_NAME(AF_INET6),     WARD_NAME(AF_NETLINK), WARD_NAME(AF_PACKET),
                               WARD_NAME(AF_ALG),       WARD_NAME(AF_VSOCK),   WARD_NAME(AF_KEY),
                               WARD_NAME(AF_BLUETOOTH), WARD_NAME(AF_CAN),     WARD_NAME(AF_TIPC),
                               WARD_NAME(AF_RDS),       WARD_NAME(AF_XDP)};

constexpr std::array kSocketTypes{WARD_NAME(SOCK_STREAM),    WARD_NAME(SOCK_DGRAM),
                                  WARD_NAME(SOCK_RAW),       WARD_NAME(SOCK_RDM),
                                  WARD_NAME(SOCK_SEQPACKET), WARD_NAME(SOCK_PACKET)};

constexpr std::array kProtection{WARD_NAME(PROT_READ), WARD_NAME(PROT_WRITE), WARD_NAME(PROT_EXEC),
                                 WARD_NAME(PROT_GROWSDOWN), WARD_NAME(PROT_GROWSUP)};

constexpr std::array kMapFlags{
    WARD_NAME(MAP_SHARED),    WARD_NAME(MAP_PRIVATE),   WARD_NAME(MAP_FIXED),
    WARD_NAME(MAP_ANONYMOUS), WARD_NAME(MAP_GROWSDOWN), WARD_NAME(MAP_LOCKED),
    WARD_NAME(MAP_NORESERVE), WARD_NAME(MAP_POPULATE),  WARD_NAME(MAP_NONBLOCK),
    WARD_NAME(MAP_STACK),     WARD_NAME(MAP_HUGETLB)};

constexpr std::array kOpenFlags{WARD_NAME(O_WRONLY),    WARD_NAME(O_RDWR),     WARD_NAME(O_CREAT),
                                WARD_NAME(O_EXCL),      WARD_NAME(O_NOCTTY),   WARD_NAME(O_TRUNC),
                                WARD_NAME(O_APPEND),    WARD_NAME(O_NONBLOCK), WARD_NAME(O_TMPFILE),
                                WARD_NAME(O_DIRECTORY), WARD_NAME(O_NOFOLLOW), WARD_NAME(O_CLOEXEC),
                                WARD_NAME(O_PATH),      WARD_NAME(O_SYNC),     WARD_NAME(O_DIRECT)};

constexpr std::array kMountFlags{
    WARD_NAME(MS_RDONLY),     WARD_NAME(MS_NOSUID),  WARD_NAME(MS_NODEV), WARD_NAME(MS_NOEXEC),
    WARD_NAME(MS_REMOUNT),    WARD_NAME(MS_BIND),    WARD_NAME(MS_MOVE),  WARD_NAME(MS_REC),
    WARD_NAME(MS_UNBINDABLE), WARD_NAME(MS_PRIVATE), WARD_NAME(MS_SLAVE), WARD_NAME(MS_SHARED)};

constexpr std::array kPrctlOptions{WARD_NAME(PR_SET_PDEATHSIG),
                                   WARD_NAME(PR_GET_PDEATHSIG),
                                   WARD_NAME(PR_GET_DUMPABLE),
                                   WARD_NAME(PR_SET_DUMPABLE),
                                   WARD_NAME(PR_GET_KEEPCAPS),
                                   WARD_NAME(PR_SET_KEEPCAPS),
                                   WARD_NAME(PR_SET_NAME),
                                   WARD_NAME(PR_GET_NAME),
                                   WARD_NAME(PR_GET_SECCOMP),
                                   WARD_NAME(PR_SET_SECCOMP),
                                   WARD_NAME(PR_CAPBSET_READ),
                                   WARD_NAME(PR_CAPBSET_DROP),
                                   WARD_NAME(PR_SET_SECUREBITS),
                                   WARD_NAME(PR_GET_SECUREBITS),
                                   WARD_NAME(PR_SET_TIMERSLACK),
                                   WARD_NAME(PR_SET_MM),
                                   WARD_NAME(PR_SET_CHILD_SUBREAPER),
                                   WARD_NAME(PR_SET_NO_NEW_PRIVS),
                                   WARD_NAME(PR_GET_NO_NEW_PRIVS),
                                   WARD_NAME(PR_CAP_AMBIENT),
                                   WARD_NAME(PR_SET_PTRACER),
                                   WARD_NAME(PR_SET_THP_DISABLE)};

constexpr std::array kPtraceRequests{WARD_NAME(PTRACE_TRACEME),  WARD_NAME(PTRACE_PEEKTEXT),
                                     WARD_NAME(PTRACE_PEEKDATA), WARD_NAME(PTRACE_POKETEXT),
                                     WARD_NAME(PTRACE_POKEDATA), WARD_NAME(PTRACE_CONT),
                                     WARD_NAME(PTRACE_ATTACH),   WARD_NAME(PTRACE_DETACH),
                                     WARD_NAME(PTRACE_SYSCALL),  WARD_NAME(PTRACE_SEIZE)};

constexpr std::array kSeccompOperations{
    WARD_NAME(SECCOMP_SET_MODE_STRICT), WARD_NAME(SECCOMP_SET_MODE_FILTER),
    WARD_NAME(SECCOMP_GET_ACTION_AVAIL), WARD_NAME(SECCOMP_GET_NOTIF_SIZES)};

constexpr std::array kSignals{
    WARD_NAME(SIGHUP),   WARD_NAME(SIGINT),  WARD_NAME(SIGQUIT), WARD_NAME(SIGILL),
    WARD_NAME(SIGTRAP),  WARD_NAME(SIGABRT), WARD_NAME(SIGBUS),  WARD_NAME(SIGFPE),
    WARD_NAME(SIGKILL),  WARD_NAME(SIGUSR1), WARD_NAME(SIGSEGV), WARD_NAME(SIGUSR2),
    WARD_NAME(SIGPIPE),  WARD_NAME(SIGALRM), WARD_NAME(SIGTERM), WARD_NAME(SIGCHLD),
    WARD_NAME(SIGCONT),  WARD_NAME(SIGSTOP), WARD_NAME(SIGTSTP), WARD_NAME(SIGURG),
    WARD_NAME(SIGWINCH), WARD_NAME(SIGSYS)};

#undef WARD_NAME

std::string clone_flags(std::uint64_t value) {
  constexpr std::uint64_t kExitSignal = 0xff;
  std::string text = flags(kCloneFlags, value & ~kExitSignal);
  if (const std::uint64_t signal = value & kExitSignal; signal != 0) {
    text = (text == "0" ? "" : text + "|") + one_of(kSignals, signal);
  }
  return text;
}

std::string socket_type(std::uint64_t value) {
  std::string text = one_of(kSocketTypes, value & 0xf);
  if ((value & SOCK_CLOEXEC) != 0) text += "|SOCK_CLOEXEC";
  if ((value & SOCK_NONBLOCK) != 0) text += "|SOCK_NONBLOCK";
  return text;
}

std::string open_flags(std::uint64_t value) {
  std::string text = flags(kOpenFlags, value);
  if ((value & O_ACCMODE) == O_RDONLY) text = text == "0" ? "O_RDONLY" : "O_RDONLY|" + text;
  return text;
}

std::string descriptor(std::uint64_t value) {
  return static_cast<std::int32_t>(value) == AT_FDCWD ? "AT_FDCWD" : signed_number(value);
}

}  // namespace

std::vector<std::string> decode_args(int nr, const filter::CallArgs& a) {
  const auto hex = hexadecimal;
  switch (nr) {
    case SYS_clone: return {clone_flags(a[0]), hex(a[1]), hex(a[2]), hex(a[3]), hex(a[4])};
    case SYS_unshare: return {flags(kCloneFlags, a[0])};
    case SYS_setns: return {descriptor(a[0]), flags(kCloneFlags, a[1])};
    case SYS_socket: return {one_of(kFamilies, a[0]), socket_type(a[1]), plain(a[2])};
    case SYS_socketpair:
      return {one_of(kFamilies, a[0]), socket_type(a[1]), plain(a[2]), hex(a[3])};
    case SYS_prctl:
      return {one_of(kPrctlOptions, a[0]), plain(a[1]), plain(a[2]), plain(a[3]), plain(a[4])};
    case SYS_mmap:
      return {hex(a[0]),        plain(a[1]), flags(kProtection, a[2]), flags(kMapFlags, a[3]),
              descriptor(a[4]), plain(a[5])};
    case SYS_mprotect: return {hex(a[0]), plain(a[1]), flags(kProtection, a[2])};
    case SYS_kill:
    case SYS_tkill: return {signed_number(a[0]), one_of(kSignals, a[1])};
    case SYS_tgkill: return {signed_number(a[0]), signed_number(a[1]), one_of(kSignals, a[2])};
    case SYS_open: return {hex(a[0]), open_flags(a[1]), plain(a[2])};
    case SYS_openat: return {descriptor(a[0]), hex(a[1]), open_flags(a[2]), plain(a[3])};
    case SYS_open_by_handle_at: return {descriptor(a[0]), hex(a[1]), open_flags(a[2])};
    case SYS_mount: return {hex(a[0]), hex(a[1]), hex(a[2]), flags(kMountFlags, a[3]), hex(a[4])};
    case SYS_umount2: return {hex(a[0]), plain(a[1])};
    case SYS_ptrace:
      return {one_of(kPtraceRequests, a[0]), signed_number(a[1]), hex(a[2]), hex(a[3])};
    case SYS_seccomp: return {one_of(kSeccompOperations, a[0]), plain(a[1]), hex(a[2])};
    case SYS_execve: return {hex(a[0]), hex(a[1]), hex(a[2])};
    case SYS_execveat: return {descriptor(a[0]), hex(a[1]), hex(a[2]), hex(a[3]), plain(a[4])};
    case SYS_mkdir:
    case SYS_chmod: return {hex(a[0]), plain(a[1])};
    case SYS_unlink:
    case SYS_rmdir: return {hex(a[0])};
    case SYS_setuid:
    case SYS_setgid: return {signed_number(a[0])};
    case SYS_personality: return {hex(a[0])};
    default: break;
  }
  std::vector<std::string> texts;
  for (const std::uint64_t arg : a) texts.push_back(plain(arg));
  return texts;
}

}  // namespace ward::shim::supervisor
