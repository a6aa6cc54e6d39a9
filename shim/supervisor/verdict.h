// SPDX-License-Identifier: Apache-2.0
// The decision about one notified call, as data. Pure: it sees number, scalar arguments, phase and
// origin, never memory or strings of the container (I7). The supervisor carries it out, in one
// switch.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>

#include "profiles/filter/own_numbers.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/filter/terms.h"
#include "shim/supervisor/phase.h"

namespace ward::shim::supervisor {

using filter::Action;
using filter::Mode;

struct ActionSet {
  Action workload = Action::kQuarantine;
  Action exec = Action::kDeny;
  // Also on a call that the container's own filter refuses; on one of the danger set in any case.
  bool acts_on_refused = false;
  // After so many denials of the workload within the window, the next is answered by `escalate_to`.
  // 0: never.
  Action escalate_to = Action::kQuarantine;
  std::uint32_t escalate_after = 0;
  std::int64_t escalate_window_ns = 0;
  // Until then a storm guard of the workload is in force, and this is done where kill or quarantine
  // would be. 0: none is.
  Action calmed_to = Action::kDeny;
  std::int64_t calmed_until_wall_ns = 0;
};

// What a container is judged by. Borrowed.
struct Law {
  const filter::CallTable& calls;
  const filter::OwnFilter& own;
  // The danger set, as the profile brings it: whole calls, and the arguments that make an everyday
  // call one of them (namespace flags of clone, odd socket families). What it names is never let
  // run unless `calls` allows it.
  const filter::CallTable& danger;
  const ActionSet& actions;
  // A call that is newer than this (oci::order_of_appearance) was not left out of the profile on
  // purpose: nobody knew of it. 0: all were known.
  std::uint32_t knows_up_to = 0;
  // What the program is known to try in vain: no violation where the own filter refuses it. Allows
  // nothing.
  const filter::CallTable* refused = nullptr;
  // What the profile's posture lets run although `calls` has it not; recorded, and no violation.
  const filter::CallTable* tolerated = nullptr;
  // Likewise, where a number among the arguments is the caller's own.
  const filter::OwnNumberTable* tolerated_own = nullptr;
  // Exec sessions may do what the workload may while it serves, and nothing else.
  bool sessions_as_workload = false;
  bool amended = false;  // `tolerated` holds what this node lets run of itself
};

struct Question {
  Mode mode = Mode::kEnforce;
  Phase phase = Phase::kRuntime;
  Origin origin = Origin::kWorkload;
  // A thread of the runtime that its execve is about to end.
  bool dying_runtime_thread = false;
  // The container is being killed or is quarantined: nothing runs any more and nothing further is
  // done to it.
  bool contained = false;
  std::uint32_t arch = 0;
  int nr = 0;
  filter::CallArgs args{};
  filter::OwnNumbers caller = {};  // only where Law::tolerated_own names the call
  // Denials of the workload in the present window, this one not counted.
  std::uint32_t recent_denials = 0;
  bool calmed = false;  // a storm guard is in force now
};

enum class Effect { kContinue, kDeny, kKill, kQuarantine };  // the last two answer EPERM as well

enum class Why {
  kRuntimeLayer,    // the runtime's own call
  kAllowedByPhase,  // the profile allows it in this phase
  kOwnFilter,  // the profile allows it, or knows that it is refused; the container's own filter
               // refuses it
  kNotInProfile,
  kNotInPhase,       // allowed in another phase
  kNotTheWorkloads,  // allowed to exec sessions, were they not judged as the workload
  kArguments,        // the number is allowed in this phase, these arguments are not
  kNewerThanProfile,
  kTolerated,
  kForeignAbi,
  kEndedBySignal,  // SIGSYS ended the process: by its own filter, or sent
  kContained,
};

// What the container's own filter answers with, where that is no error number.
enum class OwnSignal { kNone, kTrap, kKill };

struct Verdict {
  Effect effect = Effect::kDeny;
  // What a denied call returns, 0 to 4095. Where the container's own filter denies it as well, that
  // filter says the number, and may say 0: the call then seems to have gone well, and did not run.
  int error_number = EPERM;
  bool violation = false;
  Action action = Action::kDeny;  // what the record says was decided; only of a violation
  bool own_filter_denies = false;
  bool refused = false;                     // the own filter's answer is all that happens
  bool tolerated = false;                   // let run by the posture: recorded, and no violation
  bool own_number = false;                  // tolerated because a number is the caller's own
  bool amended = false;                     // tolerated under a law that a node has amended
  OwnSignal own_signal = OwnSignal::kNone;  // sent before a denial is answered
  bool escalated = false;
  bool calmed = false;     // a storm guard made the action milder
  bool boot_call = false;  // let run although serving does not allow it: boot is not over
  Why why = Why::kNotInProfile;
};

Verdict decide(const Question& question, const Law& law);

// For people: "unshare is not in profile nginx".
std::string explain(const Verdict& verdict, const std::string& syscall, const std::string& profile,
                    Phase phase);

}  // namespace ward::shim::supervisor
