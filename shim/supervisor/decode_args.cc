// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/decode_args.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <span>
#include <string_view>

#include "profiles/filter/constants.h"

namespace ward::shim::supervisor {
namespace {

struct Name {
  std::uint64_t value;
  std::string_view name;
};

std::string hexadecimal(std::uint64_t value) { return filter::format_hex(value); }

// In the words of profiles.
std::string known(std::string_view syscall, std::uint32_t index, std::uint64_t value) {
  return filter::format_argument_value(syscall, index, value);
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

constexpr std::array kPtraceRequests{WARD_NAME(PTRACE_TRACEME),  WARD_NAME(PTRACE_PEEKTEXT),
                                     WARD_NAME(PTRACE_PEEKDATA), WARD_NAME(PTRACE_POKETEXT),
                                     WARD_NAME(PTRACE_POKEDATA), WARD_NAME(PTRACE_CONT),
                                     WARD_NAME(PTRACE_ATTACH),   WARD_NAME(PTRACE_DETACH),
                                     WARD_NAME(PTRACE_SYSCALL),  WARD_NAME(PTRACE_SEIZE)};

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
  std::string text = known("clone", 0, value & ~kExitSignal);
  if (const std::uint64_t signal = value & kExitSignal; signal != 0) {
    text = (text == "0" ? "" : text + "|") + one_of(kSignals, signal);
  }
  return text;
}

std::string socket_type(std::uint64_t value) {
  std::string text = known("socket", 1, value & 0xf);
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
    case SYS_unshare: return {known("unshare", 0, a[0])};
    case SYS_setns: return {descriptor(a[0]), known("setns", 1, a[1])};
    case SYS_socket: return {known("socket", 0, a[0]), socket_type(a[1]), plain(a[2])};
    case SYS_socketpair:
      return {known("socket", 0, a[0]), socket_type(a[1]), plain(a[2]), hex(a[3])};
    case SYS_prctl:
      return {known("prctl", 0, a[0]), plain(a[1]), plain(a[2]), plain(a[3]), plain(a[4])};
    case SYS_mmap:
      return {hex(a[0]),        plain(a[1]), known("mprotect", 2, a[2]), flags(kMapFlags, a[3]),
              descriptor(a[4]), plain(a[5])};
    case SYS_mprotect: return {hex(a[0]), plain(a[1]), known("mprotect", 2, a[2])};
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
    case SYS_seccomp: return {known("seccomp", 0, a[0]), plain(a[1]), hex(a[2])};
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
