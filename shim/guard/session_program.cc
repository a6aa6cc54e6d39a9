// SPDX-License-Identifier: Apache-2.0
#include "shim/guard/session_program.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

#include "lib/base/log.h"
#include "lib/linux/child_process.h"
#include "lib/linux/newer_program.h"
#include "lib/linux/pidfd.h"
#include "lib/linux/quiet_child.h"
#include "lib/oci/bundle.h"

namespace ward::shim::guard {
namespace {

constexpr int kMostLooks = 8;
constexpr std::chrono::seconds kDeadline{2};

// What the child says, in memory that both have.
struct Answer {
  std::size_t size = 0;
  char text[1024];
};

// Nothing of the shim's but the namespace: a copy of a listener would keep the calls of a dead
// supervisor waiting.
int look(const ProgramName& program, std::int64_t since_wall_ns, int mounts, Answer& answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!leave_behind_all_but({mounts})) return 1;
  const UniqueFd descriptors(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
  // Not through /proc/PID/root: the container may have changed that, and a session's runtime enters
  // the namespace too.
  if (!descriptors || ::setns(mounts, CLONE_NEWNS) != 0) return 1;
  const std::string newer = find_newer_program(program, since_wall_ns, descriptors);
  const std::size_t size = std::min(newer.size(), sizeof answer.text);
  std::memcpy(answer.text, newer.data(), size);
  answer.size = size;
  return 0;
}

class Look : public std::enable_shared_from_this<Look> {
 public:
  Look(asio::io_context& loop, UniqueFd process, Answer* answer, std::shared_ptr<int> under_way,
       std::function<void(std::string)> found)
      : process_(std::move(process)),
        ended_(loop, process_.get()),
        timer_(loop),
        answer_(answer),
        under_way_(std::move(under_way)),
        found_(std::move(found)) {
    ++*under_way_;
  }
  ~Look() {
    ended_.release();
    ::munmap(answer_, sizeof *answer_);
    --*under_way_;
  }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;

  void wait() {
    ended_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const asio::error_code&) { self->finish(); });
    timer_.expires_after(kDeadline);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
      if (!error) (void)send_signal(self->process_, SIGKILL);
    });
  }

 private:
  void finish() {
    timer_.cancel();
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &info, WEXITED | WNOHANG | __WALL);
    if (info.si_code != CLD_EXITED || info.si_status != 0) {
      log::warn("a session's program was not looked at",
                {{"status", std::to_string(info.si_status)}});
    } else if (answer_->size != 0) {
      found_(std::string(answer_->text, std::min(answer_->size, sizeof answer_->text)));
    }
  }

  UniqueFd process_;
  asio::posix::stream_descriptor ended_;
  asio::steady_timer timer_;
  Answer* answer_;
  std::shared_ptr<int> under_way_;
  std::function<void(std::string)> found_;
};

}  // namespace

std::int64_t wall_ns_of_files() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void look_at_session_program(asio::io_context& loop, const SessionProgram& session,
                             const std::shared_ptr<int>& under_way,
                             std::function<void(std::string)> found) {
  const auto process = oci::ProcessSpec::parse(session.process_json);
  if (!process) return;  // the runtime will say what is wrong with it
  if (*under_way >= kMostLooks) {
    log::warn("a session's program is not looked at", {{"because", "eight looks have not ended"}});
    return;
  }
  const ProgramName program{process->program(), process->variable("PATH"), process->directory()};
  const std::string name = "/proc/" + std::to_string(session.container) + "/ns/mnt";
  const UniqueFd mounts(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!mounts) return;  // the container has ended
  void* memory =
      ::mmap(nullptr, sizeof(Answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  auto* const answer = new (memory) Answer;
  auto child =
      fork_quietly([&] { return look(program, session.container_wall_ns, mounts.get(), *answer); });
  if (!child) {
    ::munmap(memory, sizeof(Answer));
    return log::warn("a session's program is not looked at", {{"error", child.error().message}});
  }
  std::make_shared<Look>(loop, std::move(*child), answer, under_way, std::move(found))->wait();
}

}  // namespace ward::shim::guard
