// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/session.h"

#include <sys/syscall.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "shim/supervisor/own_signal.h"

namespace ward::shim::supervisor {
namespace {

bool is_execve(int nr) { return nr == SYS_execve || nr == SYS_execveat; }

}  // namespace

Session::Session(asio::io_context& loop, Origin origin, std::string exec_id,
                 SeccompListener listener, pid_t runtime_pid, std::chrono::nanoseconds quiet,
                 std::chrono::nanoseconds latest, Callbacks callbacks)
    : origin_(origin),
      exec_id_(std::move(exec_id)),
      phase_(origin, quiet, latest),
      runtime_pid_(runtime_pid),
      callbacks_(std::move(callbacks)),
      phase_timer_(loop),
      notifications_(
          loop, std::move(listener),
          {.asked = [this](SeccompListener& l, const Notification& call) { return asked(l, call); },
           .ended = [this] { callbacks_.ended(); }}) {}

// Reading precedes the validity check, so the facts belong to the thread that asks.
bool Session::asked_by_a_dying_thread(const SeccompListener& listener, const Notification& call,
                                      std::int64_t now_ns) const {
  return dying_.includes(call.tid, now_ns) && listener.is_valid(call.id);
}

// A `startContainer` hook is a child of the runtime's init and executes its program under the
// filter, before the init does. Only the init's own execve makes it the container's program. A
// process that is neither is not known, and ends the runtime phase as well.
bool Session::replaces_the_runtime(const Notification& call) const {
  const auto status = read_status(call.tid);
  return !status || status->thread_group == runtime_pid_ ||
         !descends_from(status->thread_group, runtime_pid_);
}

std::int64_t Session::asked(SeccompListener& listener, const Notification& call) {
  const std::int64_t received_ns = monotonic_ns();
  if (phase_.advance(received_ns)) callbacks_.phase_changed();
  Question question = callbacks_.circumstances();
  question.phase = phase_.phase();
  question.origin = origin_;
  question.dying_runtime_thread = asked_by_a_dying_thread(listener, call, received_ns);
  question.arch = call.arch;
  question.nr = call.nr;
  question.args = call.args;
  const Verdict verdict = decide(question, callbacks_.law());
  if (verdict.effect == Effect::kDeny && !question.contained)
    send_own_signal(listener, call, verdict.own_signal);
  if (verdict.violation) {
    return callbacks_.violated(
        {listener, call, verdict, question.phase, origin_, exec_id_, received_ns});
  }
  if (verdict.effect == Effect::kContinue) {
    let_run(listener, call, verdict);
  } else if (auto denied = listener.deny(call.id, verdict.error_number); !denied) {
    log::error("cannot answer a seccomp notification", {{"error", denied.error().message}});
  }
  return 0;
}

void Session::let_run(SeccompListener& listener, const Notification& call, const Verdict& verdict) {
  // Before the answer: the thread is parked in its execve, and the others are still there.
  const bool replaces =
      is_execve(call.nr) && phase_.phase() == Phase::kRuntime && replaces_the_runtime(call);
  auto others = replaces ? DyingThreads::others_than(call.tid, monotonic_ns()) : DyingThreads();
  const auto delivered = listener.let_run(call.id);
  if (!delivered) {
    log::error("cannot answer a seccomp notification", {{"error", delivered.error().message}});
    return;
  }
  callbacks_.continued();
  // An execve whose notification was taken back (a signal came first) has not run; it will ask
  // again.
  if (*delivered != Delivery::kDelivered) return;
  if (replaces) {
    dying_ = std::move(others);
    phase_.execve_continued(monotonic_ns());
    callbacks_.phase_changed();
    watch_phase();
  }
  if (verdict.boot_call) phase_.boot_call_seen(monotonic_ns());
}

void Session::watch_phase() {
  const auto change = phase_.next_change_ns();
  if (!change) return;
  phase_timer_.expires_after(
      std::chrono::nanoseconds(std::max<std::int64_t>(0, *change - monotonic_ns())));
  phase_timer_.async_wait(
      [this, weak = std::weak_ptr<bool>(alive_)](const asio::error_code& error) {
        if (error || weak.expired()) return;
        if (phase_.advance(monotonic_ns())) callbacks_.phase_changed();
        watch_phase();
      });
}

}  // namespace ward::shim::supervisor
