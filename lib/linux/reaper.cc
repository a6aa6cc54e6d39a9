// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/reaper.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <asio/post.hpp>
#include <cerrno>
#include <utility>

#include "lib/base/clock.h"
#include "lib/linux/process_info.h"

namespace ward {

std::uint32_t Exit::code() const {
  if (WIFSIGNALED(wait_status)) return 128U + static_cast<std::uint32_t>(WTERMSIG(wait_status));
  return static_cast<std::uint32_t>(WEXITSTATUS(wait_status));
}

Reaper::Reaper(asio::io_context& loop) : loop_(loop), signals_(loop) {}

Result<void> Reaper::start(std::function<void(int)> on_termination,
                           std::function<void()> on_question) {
  on_termination_ = std::move(on_termination);
  on_question_ = std::move(on_question);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail_errno("become the subreaper");
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  // Writing to a reader that went away is an error to handle, not a signal; children get the
  // default back.
  ::signal(SIGPIPE, SIG_IGN);
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return fail_errno("signalfd");
  signals_.assign(fd);
  wait_for_signal();
  return {};
}

void Reaper::stop() { signals_.close(); }

Reaper::Hold Reaper::hold() {
  if (auto held = held_.lock()) return held;
  // The last holder gone, what is left belongs to nobody: orphans of exec sessions and the like.
  Hold held(static_cast<void*>(this), [this](void*) { forget_unplaced(); });
  held_ = held;
  return held;
}

bool Reaper::still_our_child(pid_t pid) const {
  siginfo_t info = {};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void Reaper::watch(pid_t pid, Watcher watcher) {
  const auto kept = unplaced_.find(pid);
  if (kept == unplaced_.end()) {
    watchers_[pid] = std::move(watcher);
    return;
  }
  const Exit exit = kept->second.exit;
  unplaced_.erase(kept);
  // The number may have been used twice while the hold lasted; then the kept status is the earlier
  // process's.
  if (still_our_child(pid)) {
    watchers_[pid] = std::move(watcher);
    return;
  }
  asio::post(loop_, [watcher = std::move(watcher), exit] { watcher(exit); });
}

void Reaper::wait_for_signal() {
  signals_.async_wait(
      asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
        if (error) return;
        signalfd_siginfo info;
        int termination = 0;
        bool asked = false;
        while (::read(signals_.native_handle(), &info, sizeof(info)) == sizeof(info)) {
          if (info.ssi_signo == SIGUSR1) {
            asked = true;
          } else if (info.ssi_signo != SIGCHLD) {
            termination = static_cast<int>(info.ssi_signo);
          }
        }
        reap();
        if (asked && on_question_) on_question_();
        if (termination != 0 && on_termination_) on_termination_(termination);
        if (signals_.is_open()) wait_for_signal();
      });
}

void Reaper::forget_unplaced() {
  const auto left = std::exchange(unplaced_, {});
  for (const auto& [pid, stranger] : left) {
    if (stranger.tell) asio::post(loop_, stranger.tell);
  }
}

void Reaper::reap() {
  while (reap_one()) continue;
}

bool Reaper::reap_one() {
  // Looked at before it is reaped: afterwards nobody can say whose it was.
  siginfo_t ended = {};
  if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0) return errno == EINTR;
  const pid_t pid = ended.si_pid;
  if (pid == 0) return false;
  Exit exit;
  std::function<void()> tell;
  const bool killed = ended.si_code == CLD_KILLED || ended.si_code == CLD_DUMPED;
  if (killed && ended.si_status == SIGSYS) {
    exit.pid = pid;
    if (const auto stat = read_stat(pid)) exit.start_ticks = stat->start_time_ticks;
    if (stranger_) tell = stranger_(pid, exit.start_ticks);
  }
  if (::waitpid(pid, &exit.wait_status, WNOHANG) != pid) return errno == EINTR;
  exit.wall_ns = wall_ns();
  const auto found = watchers_.find(pid);
  if (found == watchers_.end()) {
    if (!held_.expired()) {
      unplaced_[pid] = {exit, std::move(tell)};
    } else if (tell) {
      tell();
    }
    return true;
  }
  const Watcher watcher = std::move(found->second);
  watchers_.erase(found);
  watcher(exit);
  return true;
}

}  // namespace ward
