// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/violation_records.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib/base/clock.h"
#include "lib/oci/seccomp.h"
#include "shim/supervisor/record.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::chrono::seconds kTellCounts{1};

CallKey key_of(const Violated& v) { return {v.call.tid, v.call.nr, v.call.args}; }

CallContext context_of(const Violated& v) { return {v.phase, v.origin, v.verdict}; }

}  // namespace

ViolationRecords::ViolationRecords(asio::io_context& loop, const Charge& charge,
                                   const SupervisorCallbacks& callbacks)
    : charge_(charge), callbacks_(callbacks), counts_timer_(loop), summary_timer_(loop) {}

void ViolationRecords::count_violation() {
  ++counts_.violations;
  callbacks_.count();
}

node::v1::Violation ViolationRecords::with_identity(node::v1::Violation violation,
                                                    const std::string& exec_id) const {
  *violation.mutable_identity() = charge_.identity;
  violation.set_exec_id(exec_id);
  violation.set_profile_name(charge_.profile_name);
  violation.set_profile_digest(charge_.profile_digest);
  violation.set_overlay(charge_.overlay);
  violation.set_mode(filter::to_proto(charge_.mode));
  return violation;
}

node::v1::Violation ViolationRecords::begin(const Violated& v) const {
  auto record = with_identity(
      make_violation(v.call, v.verdict, v.phase, v.origin, charge_.profile_name), v.exec_id);
  record.set_newer_program(v.newer_program);
  return record;
}

void ViolationRecords::add_offender(const Violated& v, node::v1::Violation& record) {
  const Offender offender = read_offender(v.call.tid);
  record.set_pid(offender.pid);
  record.set_comm(offender.comm);
  record.set_exe(offender.exe);
}

std::optional<node::v1::Violation> ViolationRecords::begin_if_wanted(const Violated& v) {
  if (!wants_detail(key_of(v), context_of(v), v.received_ns)) return std::nullopt;
  return begin_with_offender(v);
}

node::v1::Violation ViolationRecords::begin_with_offender(const Violated& v) const {
  auto record = begin(v);
  add_offender(v, record);
  // The number may belong to someone else by now (K51): then its facts are not this call's.
  if (!v.listener.is_valid(v.call.id)) {
    record.clear_comm();
    record.clear_exe();
  }
  return record;
}

std::optional<node::v1::Violation> ViolationRecords::begin_if_new_refusal(const Violated& v) {
  if (!refusals_.is_new(key_of(v), context_of(v), v.received_ns)) return std::nullopt;
  return begin_with_offender(v);
}

std::optional<node::v1::Violation> ViolationRecords::begin_if_new_tolerated(const Violated& v) {
  if (!tolerated_.is_new(key_of(v), context_of(v), v.received_ns)) return std::nullopt;
  return begin_with_offender(v);
}

bool ViolationRecords::wants_detail(const CallKey& call, const CallContext& context,
                                    std::int64_t now_ns) {
  const bool wanted = limiter_.wants_detail(call, context, now_ns);
  if (!wanted) tell_folded();
  return wanted;
}

const char* ViolationRecords::outcome_of(const Verdict& verdict) {
  if (verdict.refused) return "refused";
  return verdict.effect == Effect::kContinue ? "continued" : "denied";
}

bool ViolationRecords::is_news(const EndedProcess& process) {
  const ThreadIdentity identity{process.pid, process.start_ticks};
  if (process.start_ticks == 0) return true;
  if (std::find(told_.begin(), told_.end(), identity) != told_.end()) return false;
  told_[next_told_++ % told_.size()] = identity;
  return true;
}

void ViolationRecords::tell_folded() {
  watch_summaries();
  tell_counts_soon();
}

// A flood moves the counters without records: people see them move all the same, once a second.
void ViolationRecords::tell_counts_soon() {
  if (counts_pending_) return;
  counts_pending_ = true;
  counts_timer_.expires_after(kTellCounts);
  counts_timer_.async_wait(
      [this, weak = std::weak_ptr<bool>(alive_)](const asio::error_code& error) {
        if (error || weak.expired()) return;
        counts_pending_ = false;
        callbacks_.changed();
      });
}

void ViolationRecords::watch_summaries() {
  auto next = limiter_.next_summary_ns();
  for (const FirstOfKind* kinds : {&refusals_, &tolerated_})
    if (const auto also = kinds->next_summary_ns()) next = std::min(next.value_or(*also), *also);
  if (!next || *next == summary_at_ns_) return;
  summary_at_ns_ = *next;
  summary_timer_.expires_after(
      std::chrono::nanoseconds(std::max<std::int64_t>(0, *next - monotonic_ns())));
  summary_timer_.async_wait(
      [this, weak = std::weak_ptr<bool>(alive_)](const asio::error_code& error) {
        if (error || weak.expired()) return;
        summary_at_ns_ = 0;
        report_summaries(false);
        watch_summaries();
      });
}

void ViolationRecords::report_summaries(bool all) {
  auto summaries = limiter_.take_summaries(monotonic_ns(), all);
  for (FirstOfKind* kinds : {&refusals_, &tolerated_})
    for (const auto& summary : kinds->take_summaries(monotonic_ns(), all))
      summaries.push_back(summary);
  for (const auto& summary : summaries) {
    Notification call;
    // One record for calls of several kinds is nobody's: wardd tells it from mere repeats by that.
    call.tid = summary.identical ? summary.key.tid : 0;
    call.nr = summary.key.nr;
    call.args = summary.key.args;
    call.arch = oci::native_audit_arch();
    auto record = with_identity(make_violation(call, summary.context.verdict, summary.context.phase,
                                               summary.context.origin, charge_.profile_name),
                                {});
    record.set_repeats(summary.count - 1);
    if (!summary.identical) {
      record.set_reason(record.reason() + "; " + std::to_string(summary.count) +
                        " calls of this number without records of their own, one of them shown");
    }
    record.set_outcome(summary.key.nr < 0 ? "killed" : outcome_of(summary.context.verdict));
    callbacks_.report(std::move(record));
  }
}

}  // namespace ward::shim::supervisor
