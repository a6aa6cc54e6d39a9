// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/session.h"

#include <sys/syscall.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

namespace ward::shim {
namespace {

bool is_execve(int nr) { return nr == SYS_execve || nr == SYS_execveat; }

std::optional<ImageIdentity> image_of(pid_t pid) {
  auto image = read_image(pid);
  if (!image) return std::nullopt;
  return *image;
}

}  // namespace

Session::Session(asio::io_context& loop, Origin origin, std::string exec_id, SeccompListener listener,
                 pid_t runtime_pid, std::chrono::nanoseconds quiet, std::chrono::nanoseconds latest,
                 Callbacks callbacks)
    : origin_(origin),
      exec_id_(std::move(exec_id)),
      phase_(origin, quiet, latest),
      runtime_image_(image_of(runtime_pid)),
      callbacks_(std::move(callbacks)),
      phase_timer_(loop),
      notifications_(loop, std::move(listener),
                     {.asked = [this](SeccompListener& l, const Notification& call) { return asked(l, call); },
                      .ended = [this] { callbacks_.ended(); }}) {}

// Threads of the runtime that the first execve is about to end (de_thread) may still ask. They run the image that was
// there before: the same file and the same stack. A program that executes the runtime's own binary has a new stack, so
// it is not mistaken for it. Reading precedes a validity check, so the facts belong to the thread that asks.
bool Session::runs_the_runtime(const SeccompListener& listener, const Notification& call) {
  if (!runtime_image_ || phase_.phase() == Phase::kRuntime) return false;
  const auto image = read_image(call.tid);
  if (!image || !listener.is_valid(call.id)) return false;
  if (*image == *runtime_image_) return true;
  runtime_image_.reset();
  return false;
}

std::int64_t Session::asked(SeccompListener& listener, const Notification& call) {
  const std::int64_t received_ns = monotonic_ns();
  if (phase_.advance(received_ns)) callbacks_.phase_changed();
  Question question = callbacks_.circumstances();
  question.phase = phase_.phase();
  question.origin = origin_;
  question.runtime_image = runs_the_runtime(listener, call);
  question.arch = call.arch;
  question.nr = call.nr;
  question.args = call.args;
  const Verdict verdict = decide(question, callbacks_.law());
  if (verdict.violation) {
    return callbacks_.violated({listener, call, verdict, question.phase, origin_, exec_id_, received_ns});
  }
  if (verdict.effect == Effect::kContinue) {
    let_run(listener, call, verdict);
  } else if (auto denied = listener.deny(call.id, verdict.error_number); !denied) {
    log::error("cannot answer a seccomp notification", {{"error", denied.error().message}});
  }
  return 0;
}

void Session::let_run(SeccompListener& listener, const Notification& call, const Verdict& verdict) {
  const auto delivered = listener.let_run(call.id);
  if (!delivered) {
    log::error("cannot answer a seccomp notification", {{"error", delivered.error().message}});
    return;
  }
  callbacks_.continued();
  // An execve whose question was taken back (a signal came first) has not run; it will ask again.
  if (*delivered != Delivery::kDelivered) return;
  if (is_execve(call.nr) && phase_.phase() == Phase::kRuntime) {
    phase_.execve_continued(monotonic_ns());
    callbacks_.phase_changed();
    watch_phase();
  }
  if (verdict.boot_call) phase_.boot_call_seen(monotonic_ns());
}

void Session::watch_phase() {
  const auto change = phase_.next_change_ns();
  if (!change) return;
  phase_timer_.expires_after(std::chrono::nanoseconds(std::max<std::int64_t>(0, *change - monotonic_ns())));
  phase_timer_.async_wait([this, weak = std::weak_ptr<bool>(alive_)](const asio::error_code& error) {
    if (error || weak.expired()) return;
    if (phase_.advance(monotonic_ns())) callbacks_.phase_changed();
    watch_phase();
  });
}

}  // namespace ward::shim
