// SPDX-License-Identifier: Apache-2.0
// The one place that waits for children. Runtime helpers, container processes that were orphaned to
// us (we are their subreaper) and strangers all end here; a status goes to whoever watches the pid.
// Container processes end before anyone knows their pid when they are quick: while a Hold lives,
// statuses nobody watches are kept and replayed by watch(). One thread; callbacks come from the
// loop, never from inside watch().
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "lib/base/result.h"

namespace ward {

struct Exit {
  int wait_status = 0;       // as of waitpid(2)
  std::int64_t wall_ns = 0;  // when it was reaped; 0: it never ran
  // Who it was, read while that was possible; only of a process that SIGSYS ended.
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;

  [[nodiscard]] std::uint32_t code() const;  // the exit code, or 128 + the signal
};

class Reaper {
 public:
  using Watcher = std::function<void(Exit)>;

  explicit Reaper(asio::io_context& loop);
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // Blocks SIGCHLD, the signals that end us and SIGUSR1, by which people ask how we are, and makes
  // us the subreaper. Call before the first child.
  Result<void> start(std::function<void(int signal)> on_termination,
                     std::function<void()> on_question);
  void stop();

  // Asked about each child that SIGSYS ended, while it is a zombie and /proc still knows it. What
  // it answers is called where nobody watches that child, nor comes to before the Hold ends.
  using Stranger = std::function<std::function<void()>(pid_t pid, std::uint64_t start_ticks)>;
  void on_stranger(Stranger stranger) { stranger_ = std::move(stranger); }

  // Once, when the child ends; at once (by way of the loop) where its status was kept.
  void watch(pid_t pid, Watcher watcher);

  [[nodiscard]] std::size_t watched() const {
    return watchers_.size();
  }  // processes that have not ended yet

  // Alive from before a runtime helper may make a container process until that process is watched.
  using Hold = std::shared_ptr<void>;
  [[nodiscard]] Hold hold();

 private:
  void wait_for_signal();
  void reap();
  bool reap_one();
  void forget_unplaced();
  [[nodiscard]] bool still_our_child(pid_t pid) const;

  asio::io_context& loop_;
  asio::posix::stream_descriptor signals_;
  std::function<void(int)> on_termination_;
  std::function<void()> on_question_;
  std::unordered_map<pid_t, Watcher> watchers_;
  struct Unplaced {
    Exit exit;
    std::function<void()> tell;  // of a stranger; may be empty
  };
  std::unordered_map<pid_t, Unplaced> unplaced_;
  Stranger stranger_;
  std::weak_ptr<void> held_;
};

}  // namespace ward
