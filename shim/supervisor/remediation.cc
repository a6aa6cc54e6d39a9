// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/remediation.h"

#include <chrono>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/fault.h"
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
// What is not frozen by then is killed as it is: the rest of the hold is for reading.
constexpr std::chrono::milliseconds kFreezeForKill{20};

// A test asks what a kill leaves, on a build and a machine of any speed.
std::chrono::milliseconds or_longer_in_a_test(std::chrono::milliseconds at_most) {
  return fault::point("kill.hold") ? at_most : at_most * 100;
}

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
      ttl_timer_(loop),
      hold_timer_(loop) {}

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
    case Effect::kKill: kill_for(v, records_.begin(v), "killed"); return 0;
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
    return kill_for(v, std::move(*record), "killed: quarantine failed: " + begun.error().message);
  }
  last_.quarantined_wall_ns = wall_ns();
  begin_timeline(v.received_ns);
  note("cut off, freeze requested", monotonic_ns());
  ViolationRecords::add_offender(v, *record);
  answered(v, v.listener.deny(v.call.id, v.verdict.error_number), record);
  note("answered", monotonic_ns());
  last_quarantine_ = {v.call.tid, v.call.nr, v.call.args};
  await_frozen(std::move(record), v.received_ns);
}

// The freeze, or where there is none SIGKILL, comes before the answer: no thread of the container
// runs an instruction of its own after it.
void Remediation::kill_for(const Violated& v, node::v1::Violation record,
                           const std::string& outcome) {
  ViolationRecords::add_offender(v, record);
  begin_timeline(v.received_ns);
  pending_ = std::move(record);
  pending_->set_action(node::v1::ACTION_KILL);
  pending_->set_outcome(outcome);
  last_.note = "killed: " + pending_->reason();
  const bool held = begin_hold();
  if (!held) kill_now(v.received_ns);
  answered(v, v.listener.deny(v.call.id, v.verdict.error_number), pending_);
  if (pending_) note("answered", monotonic_ns());
  if (held) hold(v.received_ns);
}

void Remediation::kill_now(std::int64_t received_ns) {
  note("kill requested", monotonic_ns());
  const auto begun = start_kill(when_dead(received_ns));
  if (begun) return;
  if (pending_) pending_->set_outcome("kill failed: " + begun.error().message);
  log::error("cannot kill a container by its cgroup",
             {{"id", id()}, {"error", begun.error().message}});
  callbacks_.kill_all();
}

// --- the hold before a kill

bool Remediation::begin_hold() {
  if (!containment_ || !containment_->begin_hold()) return false;
  note("freeze requested", monotonic_ns());
  holding_ = true;
  return true;
}

void Remediation::hold(std::int64_t received_ns) {
  const auto on_loop = [weak = std::weak_ptr<bool>(alive_)](auto then) {
    return [weak, then](const auto& said) {
      if (!weak.expired()) then(said);
    };
  };
  hold_timer_.expires_after(or_longer_in_a_test(kHoldAtMost));
  hold_timer_.async_wait(on_loop([this, received_ns](const asio::error_code& error) {
    if (!error) end_hold(received_ns);
  }));
  containment_->await_frozen(
      on_loop([this, received_ns](const Result<std::int64_t>& at) { held(at, received_ns); }),
      or_longer_in_a_test(kFreezeForKill));
}

void Remediation::held(const Result<std::int64_t>& at, std::int64_t received_ns) {
  if (!holding_) return;
  if (!at) return end_hold(received_ns);
  note("frozen", *at);
  pending_->set_contained_ns(*at - received_ns);  // nothing of it runs from here on
  collection_ =
      begin_collection(*pending_, [this, weak = std::weak_ptr<bool>(alive_), received_ns] {
        if (weak.expired() || !holding_) return;
        note("captured", monotonic_ns());
        end_hold(received_ns);
      });
  if (!collection_) end_hold(received_ns);
}

void Remediation::end_hold(std::int64_t received_ns) {
  if (!std::exchange(holding_, false)) return;
  hold_timer_.cancel();
  kill_now(received_ns);
}

// --- killing

Result<void> Remediation::start_kill(std::function<void(Result<std::int64_t>)> done) {
  ttl_timer_.cancel();
  if (!containment_) {
    callbacks_.kill_all();
    done(fail(Code::kFailedPrecondition, "no cgroup to watch; the runtime was asked to kill it"));
    return {};
  }
  // Whoever kills it in the hold: that kill is the end of the hold, and nobody makes another.
  const bool held = std::exchange(holding_, false);
  hold_timer_.cancel();
  auto killed = containment_->kill(std::move(done));
  if (held) report_contained();
  return killed;
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
  begin_timeline(now_ns);
  if (verdict.effect == Effect::kQuarantine && containment_ && containment_->begin_quarantine()) {
    last_.quarantined_wall_ns = wall_ns();
    last_.note = "quarantined: " + why;
    return await_frozen(std::move(record), now_ns);
  }
  last_.note = "killed: " + why;
  pending_ = std::move(record);
  if (pending_ && begin_hold()) return hold(now_ns);
  kill_now(now_ns);
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
      note("frozen", *at);
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
    note("kill requested", monotonic_ns());
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
      note("every process dead", *at);
      if (pending_->contained_ns() == 0) pending_->set_contained_ns(*at - received_ns);
    } else {
      pending_->set_outcome("kill failed: " + at.error().message);
    }
  }
  report_contained();
  callbacks_.changed();
}

// The end of every containment: evidence is written, the record goes out.
void Remediation::report_contained() {
  if (!pending_) return;
  node::v1::Violation violation = std::move(*pending_);
  pending_.reset();
  begin_evidence(violation);
  collection_.reset();
  timeline_.clear();
  callbacks_.report(std::move(violation));
}

// What a collection has read is dropped with it where there is no place to write it.
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
  if (!collection_) collection_ = begin_collection(violation, [] {});
  if (!collection_) return;
  collection_->write(violation, timeline_, [id = id()](const Result<void>& collected) {
    if (!collected)
      log::warn("evidence is incomplete", {{"id", id}, {"error", collected.error().message}});
  });
}

// Null where no process can be made for it, which is logged.
std::shared_ptr<Collection> Remediation::begin_collection(const node::v1::Violation& violation,
                                                          std::function<void()> captured) {
  EvidenceRequest request;
  request.directory = charge_.evidence_root / violation.event_id();
  request.violation = violation;
  request.limits = charge_.evidence_limits;
  request.bundle = charge_.bundle;
  request.calls = charge_.calls;
  if (containment_) {
    request.cgroup = containment_->cgroup_path();
    request.processes = containment_->pids(kMaxListedProcesses);
  }
  auto begun = Collection::begin(loop_, std::move(request), kEvidenceDeadline, std::move(captured));
  if (begun) return *begun;
  log::warn("no evidence can be collected", {{"id", id()}, {"error", begun.error().message}});
  return nullptr;
}

void Remediation::begin_timeline(std::int64_t received_ns) {
  timeline_.clear();
  note("received", received_ns);
}

void Remediation::note(const std::string& what, std::int64_t at_ns) {
  timeline_.push_back({at_ns, what});
}

void Remediation::report_unfinished() {
  if (holding_) kill_now(monotonic_ns());  // nobody would end the hold
  holding_ = false;
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
