// SPDX-License-Identifier: Apache-2.0
// One listener: the workload's, or that of one exec session. Knows its phase and which threads
// still are the runtime's, asks for the verdict and answers what is no violation itself; a
// violation goes to the container's supervisor.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/dying_threads.h"
#include "shim/supervisor/notification_loop.h"
#include "shim/supervisor/phase.h"
#include "shim/supervisor/session_host.h"

namespace ward::shim::supervisor {

class Session {
 public:
  // Who is under the filter.
  struct Subject {
    std::uint64_t number = 0;  // the host's, for session_ended
    Origin origin = Origin::kWorkload;
    std::string exec_id;
    // What it was to run was changed after the container began: on every record of it.
    std::string newer_program;
    // The process that is under the filter now and will execute the container's program.
    pid_t runtime_pid = 0;
    std::chrono::nanoseconds boundary_quiet{0};
    std::chrono::nanoseconds boundary_latest{0};
  };

  // `host` outlives it.
  Session(asio::io_context& loop, SessionHost& host, Subject subject, SeccompListener listener);

  [[nodiscard]] Phase phase() const { return tracker_.current(); }
  [[nodiscard]] const std::string& exec_id() const { return subject_.exec_id; }
  void note_newer_program(const std::string& program) { subject_.newer_program = program; }

 private:
  std::int64_t asked(SeccompListener& listener, const Notification& call);
  [[nodiscard]] bool asked_by_a_dying_thread(const SeccompListener& listener,
                                             const Notification& call, std::int64_t now_ns) const;
  static filter::OwnNumbers numbers_of(const SeccompListener& listener, const Notification& call);
  [[nodiscard]] bool replaces_the_runtime(const Notification& call) const;
  void let_run(SeccompListener& listener, const Notification& call, const Verdict& verdict);
  void watch_phase();

  SessionHost& host_;
  Subject subject_;
  PhaseTracker tracker_;
  DyingThreads dying_;
  asio::steady_timer phase_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  NotificationLoop notifications_;
};

}  // namespace ward::shim::supervisor
