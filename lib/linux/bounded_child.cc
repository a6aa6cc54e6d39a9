// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/bounded_child.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "lib/base/scope_exit.h"
#include "lib/linux/pidfd.h"

namespace ward {
namespace {

// Sanitizers reserve more than any bound.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kBoundsMemory = false;
#else
constexpr bool kBoundsMemory = true;
#endif

struct Shared {
  std::size_t size = 0;
  bool done = false;
  char bytes[1];
};

[[noreturn]] void work_and_exit(const std::function<std::string()>& work, const Bounds& bounds,
                                Shared& shared) {
  ::signal(SIGPROF, SIG_DFL);
  const auto microseconds = std::chrono::microseconds(bounds.processor_time).count();
  itimerval timer{};
  timer.it_value.tv_sec = microseconds / 1'000'000;
  timer.it_value.tv_usec = microseconds % 1'000'000;
  ::setitimer(ITIMER_PROF, &timer, nullptr);
  if (kBoundsMemory) {
    const rlimit limit{bounds.memory_bytes, bounds.memory_bytes};
    ::setrlimit(RLIMIT_DATA, &limit);
  }
  const std::string result = work();
  shared.size = result.size();
  if (result.size() <= bounds.result_bytes) std::memcpy(shared.bytes, result.data(), result.size());
  shared.done = true;
  ::_exit(0);
}

struct End {
  int status = 0;  // as waitpid gives it
  std::chrono::milliseconds processor_time{0};
};

std::chrono::milliseconds to_milliseconds(const timeval& time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec));
}

// Its end, or at the deadline its death.
End await_end(pid_t pid, std::chrono::milliseconds wall_time) {
  const auto pidfd = open_pidfd(pid);
  pollfd ended{.fd = pidfd ? pidfd->get() : -1, .events = POLLIN, .revents = 0};
  int ready = 0;
  if (pidfd) {
    do {
      ready = ::poll(&ended, 1, static_cast<int>(wall_time.count()));
    } while (ready < 0 && errno == EINTR);
  }
  if (ready <= 0) ::kill(pid, SIGKILL);
  End end;
  rusage used{};
  while (::wait4(pid, &end.status, 0, &used) < 0 && errno == EINTR) {
  }
  end.processor_time = to_milliseconds(used.ru_utime) + to_milliseconds(used.ru_stime);
  return end;
}

}  // namespace

Result<std::string> run_in_bounded_child(const std::function<std::string()>& work,
                                         const Bounds& bounds) {
  const std::size_t size = sizeof(Shared) + bounds.result_bytes;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail_errno("mmap");
  const ScopeExit unmap([&] { ::munmap(memory, size); });
  auto& shared = *new (memory) Shared;
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) work_and_exit(work, bounds, shared);
  const auto [status, processor_time] = await_end(pid, bounds.wall_time);
  const bool at_deadline = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  // Some of what it was given is lost at the edges of the clocks.
  if (at_deadline && processor_time < bounds.processor_time / 2) {
    return fail(Code::kUnavailable, "the node is busy: " + std::to_string(processor_time.count()) +
                                        " ms of processor time in " +
                                        std::to_string(bounds.wall_time.count()) + " ms");
  }
  if (at_deadline || (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)) {
    return fail(Code::kDeadlineExceeded,
                "not done within " + std::to_string(bounds.processor_time.count()) +
                    " ms of processor time, " + std::to_string(bounds.wall_time.count()) +
                    " ms in all");
  }
  if (!shared.done) return fail(Code::kInternal, "ended with status " + std::to_string(status));
  if (shared.size > bounds.result_bytes)
    return fail(Code::kResourceExhausted, "its result is too large");
  return std::string(shared.bytes, shared.size);
}

}  // namespace ward
