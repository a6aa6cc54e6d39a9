// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/remediation.h"

#include <chrono>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "shim/supervisor/containment.h"
#include "shim/supervisor/evidence.h"

namespace ward::shim::supervisor {
namespace {

constexpr double kLetRunPerSecond = 1000;
constexpr double kLetRunBurst = 200;
// After a release the parked call asks once more (K46); for so long it is denied without another
// quarantine.
constexpr std::int64_t kForgiveFor_ns = 5'000'000'000;
constexpr std::size_t kMaxListedProcesses = 4096;

}  // namespace

Remediation::Remediation(asio::io_context& loop, const Charge& charge,
                         const SupervisorCallbacks& callbacks,
                         const std::unique_ptr<Containment>& containment, ViolationRecords& records)
    : loop_(loop),
      charge_(charge),
      callbacks_(callbacks),
      containment_(containment),
      records_(records),
      let_run_pace_(kLetRunPerSecond, kLetRunBurst),
      ttl_timer_(loop) {}

std::int64_t Remediation::carry_out(const Violated& v) {
  if (v.verdict.refused) {
    refuse(v);
    return 0;
  }
  if (v.verdict.tolerated) {
    tolerate(v);
    return 0;
  }
  switch (v.verdict.effect) {
    case Effect::kContinue: return let_run(v);
    case Effect::kDeny: deny(v); return 0;
    case Effect::kKill: kill_now(v, records_.begin(v), "killed"); return 0;
    case Effect::kQuarantine: quarantine_for(v); return 0;
  }
  return 0;
}

// --- effects

std::int64_t Remediation::let_run(const Violated& v) {
  auto record = records_.begin_if_wanted(v);
  answered(v, v.listener.let_run(v.call.id), record);
  records_.count_continued();
  if (record) {
    record->set_outcome("continued");
    callbacks_.report(std::move(*record));
  }
  let_run_pace_.take(monotonic_ns());
  return let_run_pace_.wait_ns(monotonic_ns());
}

void Remediation::deny(const Violated& v) {
  auto record = records_.begin_if_wanted(v);
  const bool delivered = answered(v, v.listener.deny(v.call.id, v.verdict.error_number), record);
  // A notification that was taken back comes again as the same one: it must not count twice.
  const Why why = v.verdict.why;
  const bool counts =
      why != Why::kContained && why != Why::kNewerThanProfile && why != Why::kOwnFilter;
  if (delivered && v.origin == Origin::kWorkload && counts) add_denial();
  if (record) {
    record->set_outcome(v.verdict.own_signal == OwnSignal::kKill ? "process killed" : "denied");
    callbacks_.report(std::move(*record));
  }
}

// No action: the own filter's answer, and one record for each kind of call.
void Remediation::refuse(const Violated& v) {
  auto record = records_.begin_if_new_refusal(v);
  answered(v, v.listener.deny(v.call.id, v.verdict.error_number), record);
  if (!record) return records_.tell_folded();
  record->set_outcome(ViolationRecords::outcome_of(v.verdict));
  callbacks_.report(std::move(*record));
}

// What the posture lets run waits for nothing: the bucket of let_run() is for violations.
void Remediation::tolerate(const Violated& v) {
  auto record = records_.begin_if_new_tolerated(v);
  answered(v, v.listener.let_run(v.call.id), record);
  records_.count_continued();
  if (!record) return records_.tell_folded();
  record->set_outcome(ViolationRecords::outcome_of(v.verdict));
  callbacks_.report(std::move(*record));
}

void Remediation::quarantine_for(const Violated& v) {
  if (is_forgiven(v)) return deny(v);
  std::optional<node::v1::Violation> record = records_.begin(v);
  const Result<void> begun =
      containment_ ? containment_->begin_quarantine()
                   : Result<void>(fail(Code::kFailedPrecondition, "no cgroup to freeze"));
  if (!begun) {
    log::error("cannot quarantine, killing instead",
               {{"id", id()}, {"error", begun.error().message}});
    return kill_now(v, std::move(*record), "killed: quarantine failed: " + begun.error().message);
  }
  last_.quarantined_wall_ns = wall_ns();
  ViolationRecords::add_offender(v, *record);
  answered(v, v.listener.deny(v.call.id, v.verdict.error_number), record);
  last_quarantine_ = {v.call.tid, v.call.nr, v.call.args};
  await_frozen(std::move(record), v.received_ns);
}

// SIGKILL comes before the answer: no thread of the container runs an instruction of its own
// after it.
void Remediation::kill_now(const Violated& v, node::v1::Violation record,
                           const std::string& outcome) {
  ViolationRecords::add_offender(v, record);
  pending_ = std::move(record);
  pending_->set_action(node::v1::ACTION_KILL);
  pending_->set_outcome(outcome);
  last_.note = "killed: " + pending_->reason();
  const auto killed = start_kill(when_dead(v.received_ns));
  answered(v, v.listener.deny(v.call.id, v.verdict.error_number), pending_);
  if (!killed) {
    pending_->set_outcome("kill failed: " + killed.error().message);
    log::error("cannot kill a container by its cgroup",
               {{"id", id()}, {"error", killed.error().message}});
    callbacks_.kill_all();
  }
}

Result<void> Remediation::start_kill(std::function<void(Result<std::int64_t>)> done) {
  ttl_timer_.cancel();
  if (!containment_) {
    callbacks_.kill_all();
    done(fail(Code::kFailedPrecondition, "no cgroup to watch; the runtime was asked to kill it"));
    return {};
  }
  return containment_->kill(std::move(done));
}

bool Remediation::answered(const Violated& v, const Result<Delivery>& delivery,
                           std::optional<node::v1::Violation>& record) const {
  if (!delivery)
    log::error("cannot answer a seccomp notification",
               {{"id", id()}, {"error", delivery.error().message}});
  if (record) record->set_answered_ns(monotonic_ns() - v.received_ns);
  return delivery && *delivery == Delivery::kDelivered;
}

bool Remediation::is_forgiven(const Violated& v) const {
  return forgive_until_ns_ > v.received_ns &&
         last_quarantine_ == CallKey{v.call.tid, v.call.nr, v.call.args};
}

std::uint32_t Remediation::recent_denials() const {
  return denials_.count(monotonic_ns(), charge_.actions.escalate_window_ns);
}

void Remediation::add_denial() { denials_.add(monotonic_ns(), charge_.actions.escalate_after); }

// --- without a notification

void Remediation::contain(std::optional<node::v1::Violation> record, const Verdict& verdict,
                          const std::string& why) {
  if (containment_ && containment_->is_contained()) {
    if (record) callbacks_.report(std::move(*record));
    return;
  }
  const std::int64_t now_ns = monotonic_ns();
  if (verdict.effect == Effect::kQuarantine && containment_ && containment_->begin_quarantine()) {
    last_.quarantined_wall_ns = wall_ns();
    last_.note = "quarantined: " + why;
    return await_frozen(std::move(record), now_ns);
  }
  last_.note = "killed: " + why;
  pending_ = std::move(record);
  const auto begun = start_kill(when_dead(now_ns));
  if (!begun) {
    if (pending_) pending_->set_outcome("kill failed: " + begun.error().message);
    callbacks_.kill_all();
  }
}

void Remediation::begun_by_request(const std::string& reason) {
  last_.quarantined_wall_ns = wall_ns();
  last_.note = "quarantined by request" + (reason.empty() ? std::string() : ": " + reason);
  await_frozen(std::nullopt, monotonic_ns());
}

void Remediation::released() {
  ttl_timer_.cancel();
  forgive_until_ns_ = monotonic_ns() + kForgiveFor_ns;
  last_.note.clear();
}

// --- completions, from the loop

void Remediation::await_frozen(std::optional<node::v1::Violation> record,
                               std::int64_t received_ns) {
  if (record) {
    pending_ = std::move(record);
    last_.note = "quarantined: " + pending_->reason();
  }
  containment_->await_frozen(
      [this, weak = std::weak_ptr<bool>(alive_), received_ns](Result<std::int64_t> at) {
        if (!weak.expired()) frozen(std::move(at), received_ns);
      });
}

void Remediation::frozen(Result<std::int64_t> at, std::int64_t received_ns) {
  if (at) {
    if (pending_) {
      pending_->set_contained_ns(*at - received_ns);
      std::string outcome = "quarantined";
      for (const auto& remark : containment_->notes()) outcome += "; " + remark;
      pending_->set_outcome(outcome);
    }
    callbacks_.frozen_changed(true);
    report_contained();
    watch_ttl();
    callbacks_.changed();
    return;
  }
  if (at.error().code == Code::kDeadlineExceeded) {
    log::error("a container did not freeze within 500 ms and is killed", {{"id", id()}});
    const std::string why = "it did not freeze within 500 ms";
    if (pending_) {
      pending_->set_outcome("killed: " + why);
      last_.note = "killed: " + why;
    } else {
      killed_without_a_violation(why);
    }
    (void)start_kill(when_dead(received_ns));
    return;
  }
  if (pending_ && pending_->outcome().empty())
    pending_->set_outcome("quarantined: " + at.error().message);
  report_contained();
}

// There is no record that could tell of it.
void Remediation::killed_without_a_violation(const std::string& why) {
  last_.killed_for = why;
  last_.killed_wall_ns = wall_ns();
  last_.note = "killed: " + why;
}

std::function<void(Result<std::int64_t>)> Remediation::when_dead(std::int64_t received_ns) {
  return [this, weak = std::weak_ptr<bool>(alive_), received_ns](Result<std::int64_t> at) {
    if (!weak.expired()) killed(std::move(at), received_ns);
  };
}

void Remediation::killed(Result<std::int64_t> at, std::int64_t received_ns) {
  if (pending_) {
    if (at) {
      pending_->set_contained_ns(*at - received_ns);
    } else {
      pending_->set_outcome("kill failed: " + at.error().message);
    }
  }
  report_contained();
  callbacks_.changed();
}

// The end of every containment: evidence is begun, the record goes out.
void Remediation::report_contained() {
  if (!pending_) return;
  node::v1::Violation violation = std::move(*pending_);
  pending_.reset();
  begin_evidence(violation);
  callbacks_.report(std::move(violation));
}

void Remediation::begin_evidence(node::v1::Violation& violation) {
  auto directory = make_evidence_directory(charge_.evidence_root, violation.event_id());
  if (!directory) {
    log::warn("no evidence", {{"id", id()}, {"error", directory.error().message}});
    const std::string& outcome = violation.outcome();
    violation.set_outcome(outcome + (outcome.empty() ? "" : "; ") +
                          "no evidence: " + directory.error().message);
    return;
  }
  violation.set_evidence(directory->string());
  EvidenceRequest request;
  request.directory = *directory;
  request.violation = violation;
  request.limits = charge_.evidence_limits;
  if (containment_) {
    request.cgroup = containment_->cgroup_path();
    request.processes = containment_->pids(kMaxListedProcesses);
  }
  collect_evidence(
      loop_, std::move(request), kEvidenceDeadline, [id = id()](Result<void> collected) {
        if (!collected)
          log::warn("evidence is incomplete", {{"id", id}, {"error", collected.error().message}});
      });
}

void Remediation::report_unfinished() {
  if (pending_ && pending_->outcome().empty()) pending_->set_outcome("the container ended first");
  report_contained();
}

void Remediation::watch_ttl() {
  if (charge_.quarantine_ttl.count() <= 0) return;
  ttl_timer_.expires_after(charge_.quarantine_ttl);
  ttl_timer_.async_wait([this, weak = std::weak_ptr<bool>(alive_)](const asio::error_code& error) {
    if (error || weak.expired()) return;
    killed_without_a_violation("its time in quarantine is over");
    if (const auto begun = start_kill([](const Result<std::int64_t>&) {}); !begun) {
      log::error("cannot kill a container by its cgroup",
                 {{"id", id()}, {"error", begun.error().message}});
      callbacks_.kill_all();
    }
    callbacks_.changed();
  });
}

}  // namespace ward::shim::supervisor
