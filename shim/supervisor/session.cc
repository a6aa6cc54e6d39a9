// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/session.h"

#include <sys/syscall.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/linux/own_processes.h"
#include "shim/supervisor/own_signal.h"

namespace ward::shim::supervisor {
namespace {

bool is_execve(int nr) { return nr == SYS_execve || nr == SYS_execveat; }

}  // namespace

Session::Session(asio::io_context& loop, SessionHost& host, Subject subject,
                 SeccompListener listener)
    : host_(host),
      subject_(std::move(subject)),
      tracker_(subject_.origin, subject_.boundary_quiet, subject_.boundary_latest),
      phase_timer_(loop),
      notifications_(
          loop, std::move(listener),
          {.asked = [this](SeccompListener& l, const Notification& call) { return asked(l, call); },
           .ended = [this] { host_.session_ended(subject_.number); }}) {}

// Reading precedes the validity check, so the facts belong to the thread that asks.
bool Session::asked_by_a_dying_thread(const SeccompListener& listener, const Notification& call,
                                      std::int64_t now_ns) const {
  return dying_.includes(call.tid, now_ns) && listener.is_valid(call.id);
}

// Likewise.
filter::OwnNumbers Session::numbers_of(const SeccompListener& listener, const Notification& call) {
  const auto status = read_status(call.tid);
  if (!status) return {};
  filter::OwnNumbers own{static_cast<std::uint32_t>(status->own_thread_group),
                         static_cast<std::uint32_t>(status->own_thread)};
  std::vector<std::uint64_t> open;  // the common case, a call about the caller itself, has none
  std::copy_if(call.args.begin(), call.args.end(), std::back_inserter(open),
               [&](std::uint64_t argument) { return !own.include(argument); });
  own.others = own_processes(call.tid, status->thread_group, open);
  return listener.is_valid(call.id) ? own : filter::OwnNumbers{};
}

// A `startContainer` hook is a child of the runtime's init and executes its program under the
// filter, before the init does. Only the init's own execve makes it the container's program. A
// process that is neither is not known, and ends the runtime phase as well.
bool Session::replaces_the_runtime(const Notification& call) const {
  const auto status = read_status(call.tid);
  return !status || status->thread_group == subject_.runtime_pid ||
         !descends_from(status->thread_group, subject_.runtime_pid);
}

std::int64_t Session::asked(SeccompListener& listener, const Notification& call) {
  const std::int64_t received_ns = monotonic_ns();
  if (tracker_.advance(received_ns)) host_.phase_changed();
  Question question;
  question.phase = phase();
  question.origin = subject_.origin;
  question.dying_runtime_thread = asked_by_a_dying_thread(listener, call, received_ns);
  question.arch = call.arch;
  question.nr = call.nr;
  question.args = call.args;
  if (host_.asks_who_calls(call.nr)) question.caller = numbers_of(listener, call);
  const Verdict verdict = host_.judge(question);
  if (verdict.effect == Effect::kDeny && verdict.why != Why::kContained)
    send_own_signal(listener, call, verdict.own_signal);
  if (verdict.violation || verdict.tolerated) {
    return host_.violated({listener, call, verdict, question.phase, subject_.origin,
                           subject_.exec_id, received_ns, subject_.newer_program});
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
      is_execve(call.nr) && phase() == Phase::kRuntime && replaces_the_runtime(call);
  auto others = replaces ? DyingThreads::others_than(call.tid, monotonic_ns()) : DyingThreads();
  const auto delivered = listener.let_run(call.id);
  if (!delivered) {
    log::error("cannot answer a seccomp notification", {{"error", delivered.error().message}});
    return;
  }
  host_.was_let_run();
  // An execve whose notification was taken back (a signal came first) has not run; it will ask
  // again.
  if (*delivered != Delivery::kDelivered) return;
  if (replaces) {
    dying_ = std::move(others);
    tracker_.execve_continued(monotonic_ns());
    host_.phase_changed();
    watch_phase();
  }
  if (verdict.boot_call) tracker_.boot_call_seen(monotonic_ns());
}

void Session::watch_phase() {
  const auto change = tracker_.next_change_ns();
  if (!change) return;
  phase_timer_.expires_after(
      std::chrono::nanoseconds(std::max<std::int64_t>(0, *change - monotonic_ns())));
  phase_timer_.async_wait(
      [this, weak = std::weak_ptr<bool>(alive_)](const asio::error_code& error) {
        if (error || weak.expired()) return;
        if (tracker_.advance(monotonic_ns())) host_.phase_changed();
        watch_phase();
      });
}

}  // namespace ward::shim::supervisor
