// SPDX-License-Identifier: Apache-2.0
// Inside of the Supervisor: how a violation is answered, contained, recorded. Included by
// supervisor.cc alone.
#pragma once

#include <algorithm>
#include <array>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/linux/process_info.h"
#include "shim/supervisor/containment.h"
#include "shim/supervisor/evidence.h"
#include "shim/supervisor/flood.h"
#include "shim/supervisor/record.h"
#include "shim/supervisor/session.h"
#include "shim/supervisor/supervisor.h"

namespace ward::shim::supervisor {

inline constexpr double kLetRunPerSecond = 1000;
inline constexpr double kLetRunBurst = 200;
// After a release the parked call asks once more (K46); for so long it is denied without another
// quarantine.
inline constexpr std::int64_t kForgiveFor_ns = 5'000'000'000;
inline constexpr std::size_t kMaxListedProcesses = 4096;
inline constexpr std::chrono::seconds kTellCounts{1};

struct Supervisor::State : std::enable_shared_from_this<Supervisor::State> {
  State(asio::io_context& l, Charge c, Callbacks cb)
      : loop(l),
        charge(std::move(c)),
        callbacks(std::move(cb)),
        counts_timer(l),
        summary_timer(l),
        ttl_timer(l) {}

  // --- the sessions' notifications

  [[nodiscard]] Question circumstances() const {
    Question question;
    question.mode = charge.mode;
    question.contained = containment && containment->is_contained();
    question.recent_denials = denials.count(monotonic_ns(), charge.actions.escalate_window_ns);
    return question;
  }

  void count() {
    ++violations;
    callbacks.count();
  }

  std::int64_t violated(const Violated& violated) {
    count();
    if (violated.verdict.refused) {
      refuse(violated);
      return 0;
    }
    switch (violated.verdict.effect) {
      case Effect::kContinue: return let_run(violated);
      case Effect::kDeny: deny(violated); return 0;
      case Effect::kKill: kill_for(violated); return 0;
      case Effect::kQuarantine: quarantine_for(violated); return 0;
    }
    return 0;
  }

  // --- effects

  std::int64_t let_run(const Violated& v) {
    auto record = record_if_wanted(v);
    answered(v, v.listener.let_run(v.call.id), record);
    ++continued;
    if (record) {
      record->set_outcome("continued");
      callbacks.report(std::move(*record));
    }
    bucket.take(monotonic_ns());
    return bucket.wait_ns(monotonic_ns());
  }

  void deny(const Violated& v) {
    auto record = record_if_wanted(v);
    const bool delivered = answered(v, v.listener.deny(v.call.id, v.verdict.error_number), record);
    // A notification that was taken back comes again as the same one: it must not count twice.
    const Why why = v.verdict.why;
    const bool counts =
        why != Why::kContained && why != Why::kNewerThanProfile && why != Why::kOwnFilter;
    if (delivered && v.origin == Origin::kWorkload && counts) {
      denials.add(monotonic_ns(), charge.actions.escalate_after);
    }
    if (record) {
      record->set_outcome(v.verdict.own_signal == OwnSignal::kKill ? "process killed" : "denied");
      callbacks.report(std::move(*record));
    }
  }

  // No action: the own filter's answer, and one record for each kind of call.
  void refuse(const Violated& v) {
    ++refused;
    const bool is_new = refusals.is_new({v.call.tid, v.call.nr, v.call.args},
                                        {v.phase, v.origin, v.verdict}, v.received_ns);
    std::optional<node::v1::Violation> record = is_new ? begin_record(v) : std::nullopt;
    if (record) add_offender(v, *record);
    answered(v, v.listener.deny(v.call.id, v.verdict.error_number), record);
    if (record) {
      record->set_outcome(outcome_of(v.verdict));
      callbacks.report(std::move(*record));
      return;
    }
    watch_summaries();
    tell_counts_soon();
  }

  void quarantine_for(const Violated& v) {
    if (is_forgiven(v)) return deny(v);
    auto record = begin_record(v);
    const Result<void> begun =
        containment ? containment->begin_quarantine()
                    : Result<void>(fail(Code::kFailedPrecondition, "no cgroup to freeze"));
    if (!begun) {
      log::error("cannot quarantine, killing instead",
                 {{"id", id()}, {"error", begun.error().message}});
      return kill_now(v, std::move(record), "killed: quarantine failed: " + begun.error().message);
    }
    quarantined_wall_ns = wall_ns();
    add_offender(v, *record);
    answered(v, v.listener.deny(v.call.id, v.verdict.error_number), record);
    last_quarantine = {v.call.tid, v.call.nr, v.call.args};
    await_frozen(std::move(record), v.received_ns);
  }

  void kill_for(const Violated& v) {
    auto record = begin_record(v);
    add_offender(v, *record);
    kill_now(v, std::move(record), "killed");
  }

  // SIGKILL comes before the answer: no thread of the container runs an instruction of its own
  // after it.
  void kill_now(const Violated& v, std::optional<node::v1::Violation> record,
                const std::string& outcome) {
    if (record->pid() == 0) add_offender(v, *record);
    pending = std::move(record);
    pending->set_action(node::v1::ACTION_KILL);
    pending->set_outcome(outcome);
    note = "killed: " + pending->reason();
    const std::int64_t received_ns = v.received_ns;
    const auto killed =
        start_kill([weak = weak_from_this(), received_ns](Result<std::int64_t> dead) {
          if (const auto self = weak.lock()) self->killed(std::move(dead), received_ns);
        });
    answered(v, v.listener.deny(v.call.id, v.verdict.error_number), pending);
    if (!killed) {
      pending->set_outcome("kill failed: " + killed.error().message);
      log::error("cannot kill a container by its cgroup",
                 {{"id", id()}, {"error", killed.error().message}});
      callbacks.kill_all();
    }
  }

  Result<void> start_kill(std::function<void(Result<std::int64_t>)> done) {
    ttl_timer.cancel();
    if (!containment) {
      callbacks.kill_all();
      done(fail(Code::kFailedPrecondition, "no cgroup to watch; the runtime was asked to kill it"));
      return {};
    }
    return containment->kill(std::move(done));
  }

  // --- completions, from the loop

  void await_frozen(std::optional<node::v1::Violation> record, std::int64_t received_ns) {
    if (record) {
      pending = std::move(record);
      note = "quarantined: " + pending->reason();
    }
    containment->await_frozen([weak = weak_from_this(), received_ns](Result<std::int64_t> frozen) {
      if (const auto self = weak.lock()) self->frozen(std::move(frozen), received_ns);
    });
  }

  void frozen(Result<std::int64_t> at, std::int64_t received_ns) {
    if (at) {
      if (pending) {
        pending->set_contained_ns(static_cast<std::uint64_t>(*at - received_ns));
        std::string outcome = "quarantined";
        for (const auto& remark : containment->notes()) outcome += "; " + remark;
        pending->set_outcome(outcome);
      }
      callbacks.frozen_changed(true);
      report_contained();
      watch_ttl();
      callbacks.changed();
      return;
    }
    if (at.error().code == Code::kDeadlineExceeded) {
      log::error("a container did not freeze within 500 ms and is killed", {{"id", id()}});
      if (pending) pending->set_outcome("killed: it did not freeze within 500 ms");
      note = "killed: it did not freeze within 500 ms";
      (void)start_kill([weak = weak_from_this(), received_ns](Result<std::int64_t> dead) {
        if (const auto self = weak.lock()) self->killed(std::move(dead), received_ns);
      });
      return;
    }
    if (pending && pending->outcome().empty())
      pending->set_outcome("quarantined: " + at.error().message);
    report_contained();
  }

  void killed(Result<std::int64_t> at, std::int64_t received_ns) {
    if (pending) {
      if (at) {
        pending->set_contained_ns(static_cast<std::uint64_t>(*at - received_ns));
      } else {
        pending->set_outcome("kill failed: " + at.error().message);
      }
    }
    report_contained();
    callbacks.changed();
  }

  // The end of every containment: evidence is begun, the record goes out.
  void report_contained() {
    if (!pending) return;
    node::v1::Violation violation = std::move(*pending);
    pending.reset();
    auto directory = make_evidence_directory(charge.evidence_root, violation.event_id());
    if (directory) {
      violation.set_evidence(directory->string());
      EvidenceRequest request;
      request.directory = *directory;
      request.violation = violation;
      request.limits = charge.evidence_limits;
      if (containment) {
        request.cgroup = containment->cgroup_path();
        request.processes = containment->pids(kMaxListedProcesses);
      }
      collect_evidence(loop, std::move(request), kEvidenceDeadline,
                       [id = id()](Result<void> collected) {
                         if (!collected)
                           log::warn("evidence is incomplete",
                                     {{"id", id}, {"error", collected.error().message}});
                       });
    } else {
      log::warn("no evidence", {{"id", id()}, {"error", directory.error().message}});
      const std::string& outcome = violation.outcome();
      violation.set_outcome(outcome + (outcome.empty() ? "" : "; ") +
                            "no evidence: " + directory.error().message);
    }
    callbacks.report(std::move(violation));
  }

  void watch_ttl() {
    if (charge.quarantine_ttl.count() <= 0) return;
    ttl_timer.expires_after(charge.quarantine_ttl);
    ttl_timer.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->note = "killed: its time in quarantine is over";
      (void)self->start_kill([](const Result<std::int64_t>&) {});
      self->callbacks.changed();
    });
  }

  // --- records

  node::v1::Violation with_identity(node::v1::Violation violation,
                                    const std::string& exec_id) const {
    *violation.mutable_identity() = charge.identity;
    violation.set_exec_id(exec_id);
    violation.set_profile_name(charge.profile_name);
    violation.set_profile_digest(charge.profile_digest);
    violation.set_mode(to_proto(charge.mode));
    return violation;
  }

  std::optional<node::v1::Violation> begin_record(const Violated& v) const {
    return with_identity(make_violation(v.call, v.verdict, v.phase, v.origin, charge.profile_name),
                         v.exec_id);
  }

  // The thread is parked in its call or already stopping: what /proc says of the number is about
  // it, unless it died.
  static void add_offender(const Violated& v, node::v1::Violation& record) {
    const Offender offender = read_offender(v.call.tid);
    record.set_pid(offender.pid);
    record.set_comm(offender.comm);
    record.set_exe(offender.exe);
  }

  std::optional<node::v1::Violation> record_if_wanted(const Violated& v) {
    const bool wanted = limiter.wants_detail({v.call.tid, v.call.nr, v.call.args},
                                             {v.phase, v.origin, v.verdict}, v.received_ns);
    if (!wanted) {
      watch_summaries();
      tell_counts_soon();
      return std::nullopt;
    }
    auto record = begin_record(v);
    add_offender(v, *record);
    // The number may belong to someone else by now (K51): then its facts are not this call's.
    if (!v.listener.is_valid(v.call.id)) {
      record->clear_comm();
      record->clear_exe();
    }
    return record;
  }

  bool answered(const Violated& v, const Result<Delivery>& delivery,
                std::optional<node::v1::Violation>& record) const {
    if (!delivery)
      log::error("cannot answer a seccomp notification",
                 {{"id", id()}, {"error", delivery.error().message}});
    if (record) record->set_answered_ns(static_cast<std::uint64_t>(monotonic_ns() - v.received_ns));
    return delivery && *delivery == Delivery::kDelivered;
  }

  bool is_forgiven(const Violated& v) const {
    return forgive_until_ns > v.received_ns &&
           last_quarantine == CallKey{v.call.tid, v.call.nr, v.call.args};
  }

  // A flood moves the counters without records: people see them move all the same, once a second.
  void tell_counts_soon() {
    if (counts_pending) return;
    counts_pending = true;
    counts_timer.expires_after(kTellCounts);
    counts_timer.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->counts_pending = false;
      self->callbacks.changed();
    });
  }

  void watch_summaries() {
    auto next = limiter.next_summary_ns();
    if (const auto also = refusals.next_summary_ns()) next = std::min(next.value_or(*also), *also);
    if (!next || *next == summary_at_ns) return;
    summary_at_ns = *next;
    summary_timer.expires_after(
        std::chrono::nanoseconds(std::max<std::int64_t>(0, *next - monotonic_ns())));
    summary_timer.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (!self || error) return;
      self->summary_at_ns = 0;
      self->report_summaries(false);
      self->watch_summaries();
    });
  }

  void report_summaries(bool all) {
    auto summaries = limiter.take_summaries(monotonic_ns(), all);
    for (const auto& summary : refusals.take_summaries(monotonic_ns(), all))
      summaries.push_back(summary);
    for (const auto& summary : summaries) {
      Notification call;
      call.tid = summary.key.tid;
      call.nr = summary.key.nr;
      call.args = summary.key.args;
      call.arch = oci::native_audit_arch();
      auto record =
          with_identity(make_violation(call, summary.context.verdict, summary.context.phase,
                                       summary.context.origin, charge.profile_name),
                        {});
      record.set_repeats(summary.count - 1);
      if (!summary.identical) {
        record.set_reason(record.reason() + "; " + std::to_string(summary.count) +
                          " calls of this number without records of their own, one of them shown");
      }
      record.set_outcome(summary.key.nr < 0 ? "killed" : outcome_of(summary.context.verdict));
      callbacks.report(std::move(record));
    }
  }

  static const char* outcome_of(const Verdict& verdict) {
    if (verdict.refused) return "refused";
    return verdict.effect == Effect::kContinue ? "continued" : "denied";
  }

  // --- what comes without a notification (seen.cc)

  bool is_news(const EndedProcess& process);
  void died(const EndedProcess& process, const Verdict& verdict, Phase phase);
  void tell_uncut(node::v1::Violation record, const EndedProcess& process);
  void contain(std::optional<node::v1::Violation> record, const Verdict& verdict,
               const std::string& why);

  [[nodiscard]] const std::string& id() const { return charge.identity.container_id(); }

  asio::io_context& loop;
  Charge charge;
  Callbacks callbacks;
  std::unique_ptr<Containment> containment;
  std::int64_t quarantined_wall_ns = 0;
  static constexpr std::uint64_t kWorkloadSession = 0;
  std::map<std::uint64_t, std::unique_ptr<Session>> sessions;
  std::uint64_t last_session = kWorkloadSession;
  DetailLimiter limiter;
  Refusals refusals;
  TokenBucket bucket{kLetRunPerSecond, kLetRunBurst};
  DenialWindow denials;
  std::optional<node::v1::Violation> pending;  // contained, not yet reported
  CallKey last_quarantine;
  std::int64_t forgive_until_ns = 0;
  std::array<ThreadIdentity, 256>
      told{};  // processes whose end was reported; the oldest goes first
  std::size_t next_told = 0;
  std::uint64_t violations = 0;
  std::uint64_t continued = 0;
  std::uint64_t refused = 0;
  std::string note;
  asio::steady_timer counts_timer;
  bool counts_pending = false;
  asio::steady_timer summary_timer;
  std::int64_t summary_at_ns = 0;
  asio::steady_timer ttl_timer;
};

}  // namespace ward::shim::supervisor
