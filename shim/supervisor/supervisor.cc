// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/supervisor.h"

#include <asio/post.hpp>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "shim/supervisor/containment.h"
#include "shim/supervisor/session.h"

namespace ward::shim::supervisor {

Supervisor::Supervisor(asio::io_context& loop, Charge charge, SupervisorCallbacks callbacks)
    : loop_(loop),
      charge_(std::move(charge)),
      callbacks_(std::move(callbacks)),
      records_(loop, charge_, callbacks_),
      remediation_(loop, charge_, callbacks_, containment_, records_) {}

Supervisor::~Supervisor() { flush(); }

Result<void> Supervisor::find_cgroups(pid_t pid) {
  if (containment_) return {};
  auto opened = Containment::open(loop_, pid);
  if (!opened) return tl::unexpected(opened.error());
  containment_ = std::move(*opened);
  return {};
}

void Supervisor::adopt(const std::string& exec_id, pid_t pid, SeccompListener listener) {
  if (auto found = find_cgroups(pid); !found) {
    log::error("no cgroup to contain the container in",
               {{"id", charge_.identity.container_id()}, {"error", found.error().message}});
  }
  const Origin origin = exec_id.empty() ? Origin::kWorkload : Origin::kExec;
  const std::uint64_t number = origin == Origin::kWorkload ? kWorkloadSession : ++last_session_;
  Session::Subject subject{.number = number,
                           .origin = origin,
                           .exec_id = exec_id,
                           .newer_program = std::exchange(awaiting_session_[exec_id], {}),
                           .runtime_pid = pid,
                           .boundary_quiet = charge_.boundary_quiet,
                           .boundary_latest = charge_.boundary_latest};
  awaiting_session_.erase(exec_id);
  SessionHost& host = *this;
  sessions_[number] =
      std::make_unique<Session>(loop_, host, std::move(subject), std::move(listener));
}

std::size_t Supervisor::sessions() const { return sessions_.size(); }

// --- the sessions' notifications

void Supervisor::add_circumstances(Question& question) const {
  question.mode = charge_.mode;
  question.contained = containment_ && containment_->is_contained();
  question.recent_denials = remediation_.recent_denials();
  question.calmed = charge_.actions.calmed_until_wall_ns > wall_ns();
}

Verdict Supervisor::judge(Question question) const {
  add_circumstances(question);
  return decide(question,
                {charge_.calls, charge_.own, charge_.danger, charge_.actions, charge_.knows_up_to,
                 &charge_.refused, &charge_.tolerated, &charge_.tolerated_own,
                 charge_.sessions_as_workload, !charge_.overlay.empty()});
}

bool Supervisor::asks_who_calls(int nr) const { return charge_.tolerated_own.names(nr); }

std::int64_t Supervisor::violated(const Violated& violated) {
  if (violated.verdict.violation) records_.count_violation();
  return remediation_.carry_out(violated);
}

void Supervisor::was_let_run() { records_.count_continued(); }

void Supervisor::phase_changed() { callbacks_.changed(); }

// Not erased from inside of the session's own call.
void Supervisor::session_ended(std::uint64_t number) {
  asio::post(loop_, [this, weak = std::weak_ptr<bool>(alive_), number] {
    if (!weak.expired()) sessions_.erase(number);
  });
}

// --- what people ask for

Result<void> Supervisor::quarantine(const std::string& reason) {
  if (!containment_)
    return fail(Code::kFailedPrecondition, "the container has no cgroup of its own to freeze");
  if (auto begun = containment_->begin_quarantine(); !begun) return begun;
  remediation_.begun_by_request(reason);
  return {};
}

Result<void> Supervisor::release() {
  if (!containment_) return fail(Code::kFailedPrecondition, "the container is not quarantined");
  if (auto released = containment_->release(); !released) return released;
  remediation_.released();
  callbacks_.frozen_changed(false);
  callbacks_.changed();
  return {};
}

Result<void> Supervisor::kill(std::function<void(Result<void>)> done) {
  end_was_asked_ = true;
  return remediation_.start_kill([done = std::move(done)](Result<std::int64_t> dead) {
    if (!done) return;
    dead ? done({}) : done(tl::unexpected(dead.error()));
  });
}

void Supervisor::ends_in_quarantine(const std::string& why) {
  // Its cgroup may have been seen empty before its end is heard of: the note is still that of the
  // quarantine.
  const bool quarantined = is_quarantined() || remediation_.last().note.starts_with("quarantined");
  if (quarantined && !end_was_asked_) remediation_.killed_without_a_violation(why);
}

void Supervisor::set_mode(Mode mode) {
  charge_.mode = mode;
  callbacks_.changed();
}

void Supervisor::calm(Action then, std::int64_t until_wall_ns) {
  charge_.actions.calmed_to = then;
  charge_.actions.calmed_until_wall_ns = until_wall_ns;
}

void Supervisor::set_law(NewLaw law) {
  charge_.profile_digest = std::move(law.profile_digest);
  charge_.overlay = std::move(law.overlay);
  charge_.calls = std::move(law.calls);
  charge_.danger = std::move(law.danger);
  charge_.refused = std::move(law.refused);
  charge_.tolerated = std::move(law.tolerated);
  charge_.tolerated_own = std::move(law.tolerated_own);
  charge_.knows_up_to = law.knows_up_to;
  callbacks_.changed();
}

// --- what people look at

bool Supervisor::is_quarantined() const {
  if (!containment_) return false;
  const auto state = containment_->state();
  return state == ContainmentState::kFreezing || state == ContainmentState::kQuarantined;
}

std::int64_t Supervisor::quarantined_wall_ns() const {
  return remediation_.last().quarantined_wall_ns;
}

Phase Supervisor::phase() const {
  const auto session = sessions_.find(kWorkloadSession);
  return session == sessions_.end() ? Phase::kRuntime : session->second->phase();
}

Mode Supervisor::mode() const { return charge_.mode; }
std::uint64_t Supervisor::violations() const { return records_.counts().violations; }
std::uint64_t Supervisor::continued() const { return records_.counts().continued; }

void Supervisor::flush() {
  remediation_.report_unfinished();
  records_.report_summaries(true);
}

}  // namespace ward::shim::supervisor
