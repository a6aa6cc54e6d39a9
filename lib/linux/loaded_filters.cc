// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/loaded_filters.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "lib/linux/bounded_child.h"
#include "lib/linux/pidfd.h"
#include "lib/linux/process_info.h"

namespace ward {
namespace {

constexpr std::size_t kMaxLayers = 64;
constexpr std::size_t kMaxThreads = 1024;  // that are looked at for one that lives
constexpr std::size_t kMaxResultBytes = 4U << 20U;

// What the copy hands back: the thread and programs, each behind its length; or what failed, with
// its errno.
constexpr char kPrograms = 'p';
constexpr char kMore = 'm';  // as above, and there are more
constexpr char kFailed = 'f';
constexpr char kGone = 'g';

std::string failed(const char* step, int error) {
  return kFailed + std::to_string(error) + " " + step;
}

bool is_filtered(pid_t tid) {
  const auto status = read_status(tid);
  return status && status->seccomp == SECCOMP_MODE_FILTER;
}

// Of a thread that stands.
std::string read_programs(pid_t tid) {
  std::string out(1, kPrograms);
  out.append(reinterpret_cast<const char*>(&tid), sizeof(tid));
  for (std::size_t at = 0;; ++at) {
    const auto* const index = reinterpret_cast<void*>(at);  // NOLINT(performance-no-int-to-ptr)
    const long length = ::ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, nullptr);
    if (length < 0 && errno == ENOENT) return out;
    // It is under no filter, or the kernel keeps none.
    if (length < 0 && errno == EINVAL && at == 0)
      return is_filtered(tid) ? failed("PTRACE_SECCOMP_GET_FILTER", EIO) : out;
    if (length < 0) return failed("PTRACE_SECCOMP_GET_FILTER", errno);
    const std::size_t bytes = static_cast<std::size_t>(length) * sizeof(sock_filter);
    if (at == kMaxLayers || out.size() + bytes + sizeof(std::uint32_t) > kMaxResultBytes) {
      out.front() = kMore;
      return out;
    }
    SeccompProgram program(static_cast<std::size_t>(length));
    if (::ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, program.data()) != length)
      return failed("PTRACE_SECCOMP_GET_FILTER", errno);
    const auto count = static_cast<std::uint32_t>(length);
    out.append(reinterpret_cast<const char*>(&count), sizeof(count));
    out.append(reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter));
  }
  return out;
}

// The kernel refuses an ended thread as it refuses who has no right to (EPERM).
bool has_ended(pid_t tid) {
  const auto stat = read_stat(tid);
  return !stat || stat->state == 'Z' || stat->state == 'X' || stat->exiting;
}

// Attaches to a thread of the process, and proves that it is one. 0: there is none that lives.
// Negative: an errno.
pid_t attach_to_one(pid_t pid, const UniqueFd& pidfd) {
  std::vector<pid_t> threads = {pid};
  for (const ThreadIdentity& one : read_threads(pid, kMaxThreads))
    if (one.tid != pid) threads.push_back(one.tid);
  for (const pid_t tid : threads) {
    if (has_ended(tid)) continue;
    if (::ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) {
      const int error = errno;
      if (error == ESRCH || has_ended(tid)) continue;
      return -error;
    }
    // What is attached keeps its number, so now the descriptor tells whose it is, and /proc whether
    // this is a thread of it.
    const auto status = read_status(tid);
    if (send_signal(pidfd, 0) && status && status->thread_group == pid) return tid;
    return 0;
  }
  return 0;
}

// In the copy. Where it ends before it detaches, the kernel detaches.
std::string attach_and_read(pid_t pid, const UniqueFd& pidfd) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const pid_t tid = attach_to_one(pid, pidfd);
  if (tid < 0) return failed("PTRACE_SEIZE", -tid);
  if (tid == 0) return {kGone};
  if (::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) != 0)
    return failed("PTRACE_INTERRUPT", errno);
  int status = 0;
  while (::waitpid(tid, &status, __WALL) < 0) {
    if (errno != EINTR) return failed("waitpid", errno);
  }
  if (!WIFSTOPPED(status)) return {kGone};
  std::string out = read_programs(tid);
  // A signal may have come in the moment of our interrupt: it is the thread's, and goes to it.
  const bool is_signal = (static_cast<unsigned>(status) >> 16U) == 0;
  const long signal = is_signal ? WSTOPSIG(status) : 0;
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  ::ptrace(PTRACE_DETACH, tid, nullptr, reinterpret_cast<void*>(signal));
  return out;
}

Error error_of(const std::string& said) {
  const std::size_t space = said.find(' ');
  const int error = std::atoi(said.c_str() + 1);
  const std::string step = said.substr(space + 1);
  // Both are EPERM or EACCES to the kernel; ESRCH is a thread that ended, or is another's to trace.
  if (error == EACCES || error == EPERM)
    return {Code::kPermissionDenied,
            step +
                ": it needs CAP_SYS_ADMIN and CAP_SYS_PTRACE, a caller "
                "without a filter, and nobody else who traces it",
            error};
  if (error == EMEDIUMTYPE || error == EIO)
    return {Code::kUnimplemented, step + ": this kernel does not keep what was loaded", error};
  if (error == ESRCH) return {Code::kNotFound, step + ": it has ended", error};
  return {Code::kInternal, step + ": " + std::strerror(error), error};
}

Result<LoadedFilters> parse(const std::string& said) {
  LoadedFilters out;
  out.more = said.front() == kMore;
  if (said.size() < 1 + sizeof(out.tid)) return fail(Code::kInternal, "what was read was cut");
  std::memcpy(&out.tid, said.data() + 1, sizeof(out.tid));
  std::size_t at = 1 + sizeof(out.tid);
  while (at < said.size()) {
    std::uint32_t count = 0;
    if (said.size() - at < sizeof(count)) break;
    std::memcpy(&count, said.data() + at, sizeof(count));
    at += sizeof(count);
    const std::size_t bytes = std::size_t{count} * sizeof(sock_filter);
    if (said.size() - at < bytes) break;
    SeccompProgram program(count);
    std::memcpy(program.data(), said.data() + at, bytes);
    at += bytes;
    out.programs.push_back(std::move(program));
  }
  if (at != said.size()) return fail(Code::kInternal, "what was read was cut");
  return out;
}

}  // namespace

Result<LoadedFilters> read_loaded_filters(pid_t pid, const UniqueFd& pidfd,
                                          std::chrono::milliseconds patience) {
  Bounds bounds;
  bounds.processor_time = bounds.wall_time = patience;
  bounds.result_bytes = kMaxResultBytes;
  const auto said = run_in_bounded_child([&] { return attach_and_read(pid, pidfd); }, bounds);
  if (!said) return tl::unexpected<Error>(said.error());
  if (said->empty() || said->front() == kGone) return fail(Code::kNotFound, "it has ended");
  if (said->front() == kFailed) return tl::unexpected<Error>(error_of(*said));
  return parse(*said);
}

}  // namespace ward
