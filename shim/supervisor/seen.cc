// SPDX-License-Identifier: Apache-2.0
// What comes without a notification: the ends of processes that the kernel stopped by itself,
// capabilities in use, sessions that are refused, and those that run a newer program.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/utf8.h"
#include "shim/supervisor/containment.h"
#include "shim/supervisor/record.h"
#include "shim/supervisor/session.h"
#include "shim/supervisor/supervisor.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::uint32_t kSomeForeignArch = 0;
constexpr std::size_t kMostAwaiting = 64;

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

bool Supervisor::holds(pid_t pid) const { return containment_ && containment_->holds(pid); }

void Supervisor::foreign_abi(const std::string& exec_id, const EndedProcess& process) {
  if (!records_.is_news(process)) return;
  records_.count_violation();
  auto record = make_foreign_abi_violation(process.pid, phase(), process.origin);
  callbacks_.report(records_.with_identity(std::move(record), exec_id));
  callbacks_.changed();
}

void Supervisor::process_died(const EndedProcess& process) {
  const bool news = records_.is_news(process);
  Verdict verdict = ended_by_the_own_filter();
  if (!process.abi.empty()) {
    Question question;
    add_circumstances(question);
    question.phase = process.origin == Origin::kExec ? Phase::kExec : phase();
    // A container that has got so far as to run its program is not being made any more.
    if (question.phase == Phase::kRuntime) question.phase = Phase::kServing;
    question.origin = process.origin;
    question.arch = kSomeForeignArch;
    question.nr = kForeignCall;
    const filter::OwnFilter none;
    verdict = decide(question, {charge_.calls, none, charge_.danger, charge_.actions});
  }
  if (news) {
    died(process, verdict);
  } else if (verdict.effect == Effect::kQuarantine || verdict.effect == Effect::kKill) {
    // Its record went out when we reaped it, and did not know in which call it ended.
    remediation_.contain(std::nullopt, verdict, reason_of(process));
  }
}

void Supervisor::died(const EndedProcess& process, const Verdict& verdict) {
  records_.count_violation();
  const int nr = process.abi.empty() ? kEndedCall : kForeignCall;
  const bool contains = verdict.effect == Effect::kQuarantine || verdict.effect == Effect::kKill;
  if (verdict.action == Action::kDeny && process.origin == Origin::kWorkload &&
      verdict.why != Why::kContained) {
    remediation_.add_denial();
  }
  if (!contains &&
      !records_.wants_detail({0, nr, {}}, {phase(), process.origin, verdict}, monotonic_ns())) {
    return;
  }
  Notification call;
  call.tid = process.pid;
  call.nr = nr;
  auto record = records_.with_identity(
      make_violation(call, verdict, phase(), process.origin, charge_.profile_name), {});
  record.set_pid(process.pid);
  record.set_syscall_nr(process.nr);
  record.set_comm(process.comm);
  record.set_reason(reason_of(process));
  record.set_outcome("killed");
  if (contains) return remediation_.contain(std::move(record), verdict, reason_of(process));
  callbacks_.report(std::move(record));
  callbacks_.changed();
}

void Supervisor::used_capability(const std::string& capability, const EndedProcess& process) {
  auto record = make_uncut_violation(phase(), process.origin);
  record.set_capability(capability);
  record.set_reason(capability + " was used and is not in profile " + charge_.profile_name +
                    ": enforce cuts it at the start");
  tell_uncut(std::move(record), process);
}

void Supervisor::gained_privileges(const EndedProcess& process) {
  auto record = make_uncut_violation(phase(), process.origin);
  record.set_reason(
      "the program '" + escape(process.comm) +
      "' gave its process privileges (set-user-ID, or capabilities of its file); profile " +
      charge_.profile_name + " has noNewPrivileges: enforce forbids it from the start on");
  tell_uncut(std::move(record), process);
}

void Supervisor::missed_capability(const std::string& capability, const EndedProcess& process) {
  auto record = make_uncut_violation(phase(), process.origin);
  record.set_capability(capability);
  record.set_tolerated(true);
  record.set_action(node::v1::ACTION_DENY);
  record.set_outcome("denied");
  record.set_reason(capability + " was asked for and is not in profile " + charge_.profile_name +
                    ": it was cut at the start");
  tell_of(std::move(record), process);
}

void Supervisor::session_refused(const std::string& exec_id, const std::string& by) {
  const bool runs = charge_.mode == Mode::kSupervise;
  auto record = make_uncut_violation(phase(), Origin::kExec);
  record.set_session(node::v1::SESSION_NOTE_REFUSED);
  if (!runs) {
    record.set_action(node::v1::ACTION_DENY);
    record.set_outcome("refused");
  }
  record.set_reason(by + " says `exec: refuse`" + (runs ? ": mode enforce starts no session" : ""));
  tell_of_session(std::move(record), exec_id, refused_sessions_);
}

void Supervisor::session_begins(const std::string& exec_id) { awaiting_session_.erase(exec_id); }

// An exec id may be that of an earlier session, of which processes are left: the last one is meant.
void Supervisor::session_runs_newer(const std::string& exec_id, const std::string& program) {
  const std::string text = to_utf8(program);
  const auto session = std::find_if(sessions_.rbegin(), sessions_.rend(), [&](const auto& one) {
    return one.second->exec_id() == exec_id;
  });
  if (session != sessions_.rend()) {
    session->second->note_newer_program(text);
  } else {
    // Or it was quicker than the look, and nobody will ask for this.
    if (awaiting_session_.size() >= kMostAwaiting)
      awaiting_session_.erase(awaiting_session_.begin());
    awaiting_session_[exec_id] = text;
  }
  auto record = make_uncut_violation(phase(), Origin::kExec);
  record.set_session(node::v1::SESSION_NOTE_NEWER_PROGRAM);
  record.set_newer_program(text);
  record.set_reason("the session runs '" + escape(text) +
                    "', which was changed after the container began");
  tell_of_session(std::move(record), exec_id, newer_programs_);
}

// No violation, and in no count of them.
void Supervisor::tell_of_session(node::v1::Violation record, const std::string& exec_id,
                                 OneAMinute& pace) {
  const auto untold = pace.take(monotonic_ns());
  if (!untold) return;
  record.set_tolerated(true);
  record.set_repeats(*untold);
  callbacks_.report(records_.with_identity(std::move(record), exec_id));
}

void Supervisor::tell_uncut(node::v1::Violation record, const EndedProcess& process) {
  records_.count_violation();
  records_.count_continued();
  tell_of(std::move(record), process);
}

void Supervisor::tell_of(node::v1::Violation record, const EndedProcess& process) {
  record.set_pid(process.pid);
  record.set_tid(process.pid);
  record.set_comm(process.comm);
  callbacks_.report(records_.with_identity(std::move(record), {}));
  callbacks_.changed();
}

}  // namespace ward::shim::supervisor
