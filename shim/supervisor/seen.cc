// SPDX-License-Identifier: Apache-2.0
// What comes without a notification: the ends of processes that the kernel stopped by itself, and
// capabilities in use.
#include <array>

#include "lib/base/escape.h"
#include "shim/supervisor/supervisor.h"
#include "shim/supervisor/supervisor_state.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::uint32_t kSomeForeignArch = 0;

Verdict ended_by_the_own_filter() {
  Verdict verdict;
  verdict.violation = true;
  verdict.action = Action::kLog;  // what the container's own filter does costs it nothing
  verdict.effect = Effect::kDeny;
  verdict.why = Why::kEndedBySignal;
  return verdict;
}

std::string reason_of(const EndedProcess& process) {
  if (!process.abi.empty()) {
    return "ended by SIGSYS in " + process.abi + " call " + std::to_string(process.nr) +
           ": no filter of Ward lets a foreign ABI through";
  }
  return "ended by SIGSYS" + (process.nr < 0 ? std::string() : " in " + syscall_name(process.nr)) +
         ": by a filter that kills, or by whoever sent that signal";
}

}  // namespace

bool Supervisor::holds(pid_t pid) const {
  return state_->containment && state_->containment->holds(pid);
}

void Supervisor::foreign_abi(const std::string& exec_id, const EndedProcess& process) {
  State& state = *state_;
  if (!state.is_news(process)) return;
  state.count();
  auto record = make_foreign_abi_violation(process.pid, phase(), process.origin);
  state.callbacks.report(state.with_identity(std::move(record), exec_id));
  state.callbacks.changed();
}

void Supervisor::process_died(const EndedProcess& process) {
  State& state = *state_;
  const bool news = state.is_news(process);
  Verdict verdict = ended_by_the_own_filter();
  if (!process.abi.empty()) {
    Question question = state.circumstances();
    question.phase = process.origin == Origin::kExec ? Phase::kExec : phase();
    // A container that has got so far as to run its program is not being made any more.
    if (question.phase == Phase::kRuntime) question.phase = Phase::kServing;
    question.origin = process.origin;
    question.arch = kSomeForeignArch;
    question.nr = kForeignCall;
    const filter::OwnFilter none;
    verdict =
        decide(question, {state.charge.calls, none, state.charge.danger, state.charge.actions});
  }
  if (news) {
    state.died(process, verdict, phase());
  } else if (verdict.effect == Effect::kQuarantine || verdict.effect == Effect::kKill) {
    // Its record went out when we reaped it, and did not know in which call it ended.
    state.contain(std::nullopt, verdict, reason_of(process));
  }
}

void Supervisor::State::died(const EndedProcess& process, const Verdict& verdict, Phase phase) {
  count();
  const std::int64_t now_ns = monotonic_ns();
  const int nr = process.abi.empty() ? kEndedCall : kForeignCall;
  const bool contains = verdict.effect == Effect::kQuarantine || verdict.effect == Effect::kKill;
  if (verdict.action == Action::kDeny && process.origin == Origin::kWorkload &&
      verdict.why != Why::kContained) {
    denials.add(now_ns, charge.actions.escalate_after);
  }
  if (!contains && !limiter.wants_detail({0, nr, {}}, {phase, process.origin, verdict}, now_ns)) {
    watch_summaries();
    tell_counts_soon();
    return;
  }
  Notification call;
  call.tid = process.pid;
  call.nr = nr;
  auto record =
      with_identity(make_violation(call, verdict, phase, process.origin, charge.profile_name), {});
  record.set_pid(process.pid);
  record.set_syscall_nr(process.nr);
  record.set_comm(process.comm);
  record.set_reason(reason_of(process));
  record.set_outcome("killed");
  if (contains) return contain(std::move(record), verdict, reason_of(process));
  callbacks.report(std::move(record));
  callbacks.changed();
}

// The process is dead already; this is for the others.
void Supervisor::State::contain(std::optional<node::v1::Violation> record, const Verdict& verdict,
                                const std::string& why) {
  if (containment && containment->is_contained()) {
    if (record) callbacks.report(std::move(*record));
    return;
  }
  const std::int64_t now_ns = monotonic_ns();
  if (verdict.effect == Effect::kQuarantine && containment && containment->begin_quarantine()) {
    quarantined_wall_ns = wall_ns();
    note = "quarantined: " + why;
    return await_frozen(std::move(record), now_ns);
  }
  note = "killed: " + why;
  pending = std::move(record);
  const auto begun = start_kill([weak = weak_from_this(), now_ns](Result<std::int64_t> dead) {
    if (const auto self = weak.lock()) self->killed(std::move(dead), now_ns);
  });
  if (!begun) {
    if (pending) pending->set_outcome("kill failed: " + begun.error().message);
    callbacks.kill_all();
  }
}

void Supervisor::used_capability(const std::string& capability, const EndedProcess& process) {
  auto record = make_uncut_violation(phase(), process.origin);
  record.set_capability(capability);
  record.set_reason(capability + " was used and is not in profile " + state_->charge.profile_name +
                    ": enforce cuts it at the start");
  state_->tell_uncut(std::move(record), process);
}

void Supervisor::gained_privileges(const EndedProcess& process) {
  auto record = make_uncut_violation(phase(), process.origin);
  record.set_reason(
      "the program '" + escape(process.comm) +
      "' gave its process privileges (set-user-ID, or capabilities of its file); profile " +
      state_->charge.profile_name + " has noNewPrivileges: enforce forbids it from the start on");
  state_->tell_uncut(std::move(record), process);
}

void Supervisor::State::tell_uncut(node::v1::Violation record, const EndedProcess& process) {
  count();
  record.set_pid(process.pid);
  record.set_tid(process.pid);
  record.set_comm(process.comm);
  ++continued;
  callbacks.report(with_identity(std::move(record), {}));
  callbacks.changed();
}

// Two tell of one end: the reaper, and the kernel by way of wardd.
bool Supervisor::State::is_news(const EndedProcess& process) {
  const ThreadIdentity identity{process.pid, process.start_ticks};
  if (process.start_ticks == 0) return true;
  if (std::find(told.begin(), told.end(), identity) != told.end()) return false;
  told[next_told++ % told.size()] = identity;
  return true;
}

}  // namespace ward::shim::supervisor
