// SPDX-License-Identifier: Apache-2.0
// One listener: the workload's, or that of one exec session. Knows its phase and which threads
// still are the runtime's, asks for the verdict and answers what is no violation itself; a
// violation goes to the container's supervisor.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/dying_threads.h"
#include "shim/supervisor/notification_loop.h"
#include "shim/supervisor/verdict.h"

namespace ward::shim::supervisor {

// A violation on its way from the verdict to what is done about it.
struct Violated {
  SeccompListener& listener;
  const Notification& call;
  const Verdict& verdict;
  Phase phase;
  Origin origin;
  const std::string& exec_id;
  std::int64_t received_ns;
};

class Session {
 public:
  struct Callbacks {
    // Mode, contained and recent_denials; the session adds the rest and asks for the verdict.
    std::function<Question()> circumstances;
    std::function<Law()> law;
    // Must answer. Returns the pause before the next notification is fetched.
    std::function<std::int64_t(const Violated&)> violated;
    std::function<void()> continued;  // a call was let run
    std::function<void()> phase_changed;
    std::function<void()> ended;
  };

  // `runtime_pid`: the process that is under the filter now and will execute the container's
  // program.
  Session(asio::io_context& loop, Origin origin, std::string exec_id, SeccompListener listener,
          pid_t runtime_pid, std::chrono::nanoseconds quiet, std::chrono::nanoseconds latest,
          Callbacks callbacks);

  [[nodiscard]] Phase phase() const { return phase_.phase(); }
  [[nodiscard]] Origin origin() const { return origin_; }

 private:
  std::int64_t asked(SeccompListener& listener, const Notification& call);
  [[nodiscard]] bool asked_by_a_dying_thread(const SeccompListener& listener,
                                             const Notification& call, std::int64_t now_ns) const;
  [[nodiscard]] bool replaces_the_runtime(const Notification& call) const;
  void let_run(SeccompListener& listener, const Notification& call, const Verdict& verdict);
  void watch_phase();

  Origin origin_;
  std::string exec_id_;
  PhaseTracker phase_;
  pid_t runtime_pid_;
  DyingThreads dying_;
  Callbacks callbacks_;
  asio::steady_timer phase_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  NotificationLoop notifications_;
};

}  // namespace ward::shim::supervisor
