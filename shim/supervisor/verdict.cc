// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/verdict.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace ward::shim::supervisor {
namespace {

constexpr std::uint32_t kAnyLayer = ~0U;

std::uint32_t layers_of(Phase phase, const Law& law) {
  switch (phase) {
    case Phase::kRuntime: return kAnyLayer;
    case Phase::kBoot: return filter::kAllowedInBoot;
    case Phase::kServing: return filter::kAllowedInServing;
    case Phase::kExec:
      return law.sessions_as_workload ? filter::kAllowedInServing : filter::kAllowedInExec;
  }
  return 0;
}

Effect effect_of(Action action) {
  switch (action) {
    case Action::kLog: return Effect::kContinue;
    case Action::kDeny: return Effect::kDeny;
    case Action::kKill: return Effect::kKill;
    case Action::kQuarantine: return Effect::kQuarantine;
  }
  return Effect::kDeny;
}

// What is done about a call that the profile does not allow.
void judge(const Question& question, bool dangerous, const ActionSet& actions, Verdict& verdict) {
  Action action = question.origin == Origin::kExec ? actions.exec : actions.workload;
  if (question.mode == Mode::kSupervise) action = Action::kLog;
  // A container that is being made is not frozen or killed: whoever makes it would wait for it.
  if (question.phase == Phase::kRuntime) action = Action::kDeny;
  // Letting a call run is never the answer to one of the danger set, nor to one the container's own
  // filter forbids.
  if (action == Action::kLog && (dangerous || verdict.own_filter_denies)) action = Action::kDeny;
  if (action == Action::kDeny && question.phase != Phase::kRuntime &&
      question.mode == Mode::kEnforce && question.origin == Origin::kWorkload &&
      actions.escalate_after > 0 && question.recent_denials + 1 >= actions.escalate_after) {
    action = actions.escalate_to;
    verdict.escalated = true;
  }
  // An attacker may be who made the storm: what learning can never have meant is acted upon as
  // ever.
  if (question.calmed && !dangerous && action > actions.calmed_to) {
    action = std::max(actions.calmed_to, Action::kDeny);
    verdict.calmed = true;
  }
  verdict.violation = true;
  verdict.action = action;
  verdict.effect = effect_of(action);
}

// What the posture lets run.
bool tolerates(const Question& question, const Law& law, Verdict& verdict) {
  verdict.own_number = law.tolerated_own != nullptr &&
                       law.tolerated_own->allows(question.nr, question.args, question.caller);
  verdict.tolerated =
      verdict.own_number ||
      (law.tolerated != nullptr && law.tolerated->allows(question.nr, question.args, kAnyLayer));
  if (!verdict.tolerated) return false;
  verdict.why = Why::kTolerated;
  verdict.amended = law.amended;
  verdict.effect = Effect::kContinue;
  verdict.action = Action::kLog;
  return true;
}

// As an older kernel would answer, for which every C library has a way out. In supervise it runs
// like all else.
void judge_newer(const Question& question, Verdict& verdict) {
  verdict.why = Why::kNewerThanProfile;
  verdict.violation = true;
  const bool runs = question.mode == Mode::kSupervise && !verdict.own_filter_denies;
  verdict.action = runs ? Action::kLog : Action::kDeny;
  verdict.effect = effect_of(verdict.action);
  if (!verdict.own_filter_denies) verdict.error_number = ENOSYS;
}

}  // namespace

Verdict decide(const Question& question, const Law& law) {
  Verdict verdict;
  const filter::Answer own = law.own.verdict(question.nr, question.args);
  const bool own_denies = !own.executes();
  verdict.own_filter_denies = own_denies;
  if (own_denies) verdict.error_number = own.error_number();
  if (own.signals()) verdict.own_signal = own.kills() ? OwnSignal::kKill : OwnSignal::kTrap;

  if (question.contained) {
    verdict.why = Why::kContained;
    verdict.violation = true;
    verdict.error_number = EPERM;
    return verdict;
  }
  if (question.arch != oci::native_audit_arch()) {
    // The filter lists the native architecture only, so this cannot come; if it does, no table fits
    // it.
    verdict.why = Why::kForeignAbi;
    judge(question, true, law.actions, verdict);
    return verdict;
  }
  // What passes for the runtime may be something else (its init can be written to, H02): nothing of
  // the danger set is continued for it. A runtime makes no such call under the filter (K49).
  const bool dangerous = law.danger.allows(question.nr, question.args, kAnyLayer);
  const bool runtime =
      !dangerous && (question.phase == Phase::kRuntime || question.dying_runtime_thread);
  const std::uint32_t layers = layers_of(question.phase, law);
  if (runtime || law.calls.allows(question.nr, question.args, layers)) {
    verdict.why = own_denies ? Why::kOwnFilter
                  : runtime  ? Why::kRuntimeLayer
                             : Why::kAllowedByPhase;
    verdict.effect = own_denies ? Effect::kDeny : Effect::kContinue;
    // Record it, so that people find the reason of such a death: the kernel would have logged it.
    verdict.violation = !runtime && verdict.own_signal == OwnSignal::kKill;
    verdict.boot_call = !own_denies && !runtime && question.phase == Phase::kBoot &&
                        !law.calls.allows(question.nr, question.args, filter::kAllowedInServing);
    return verdict;
  }
  if (own_denies && law.refused != nullptr &&
      law.refused->allows(question.nr, question.args, kAnyLayer)) {
    verdict.why = Why::kOwnFilter;
    return verdict;
  }
  if (!own_denies && !dangerous && tolerates(question, law, verdict)) return verdict;
  const bool newer =
      law.knows_up_to != 0 && oci::order_of_appearance(question.nr) > law.knows_up_to;
  if (newer && !dangerous && !law.calls.names(question.nr, filter::kAllowedInExec)) {
    judge_newer(question, verdict);
    return verdict;
  }
  // What exec sessions alone have is none of the workload's phases.
  const std::uint32_t some_phase =
      question.origin == Origin::kExec ? filter::kAllowedInExec : filter::kAllowedInBoot;
  if (law.calls.allows(question.nr, question.args, some_phase)) {
    verdict.why = question.phase == Phase::kExec ? Why::kNotTheWorkloads : Why::kNotInPhase;
  } else if (law.calls.names(question.nr, layers)) {
    verdict.why = Why::kArguments;
  }
  if (own_denies && !dangerous && !law.actions.acts_on_refused) {
    verdict.violation = true;
    verdict.refused = true;
    verdict.action = Action::kLog;
    return verdict;
  }
  judge(question, dangerous, law.actions, verdict);
  return verdict;
}

std::string explain(const Verdict& verdict, const std::string& syscall, const std::string& profile,
                    Phase phase) {
  std::string text = syscall;
  const std::string in_phase(filter::phase_name(phase));
  switch (verdict.why) {
    case Why::kRuntimeLayer: return text + " belongs to the runtime";
    case Why::kAllowedByPhase: return text + " is allowed in phase " + in_phase;
    case Why::kOwnFilter:
      text += " is denied by the container's own seccomp profile";
      if (verdict.own_signal == OwnSignal::kKill) text += ", which kills the process for it";
      return text;
    case Why::kNotInProfile: text += " is not in profile " + profile; break;
    case Why::kNotInPhase:
      text += " is not allowed in phase " + in_phase + " by profile " + profile;
      break;
    case Why::kNotTheWorkloads:
      text += " is not allowed to the workload by profile " + profile +
              ", and its policy judges exec sessions as the workload";
      break;
    case Why::kArguments:
      text += " is not allowed with these arguments by profile " + profile;
      break;
    case Why::kNewerThanProfile: text += " is newer than profile " + profile; break;
    case Why::kTolerated:
      return text + " is not in profile " + profile +
             (verdict.amended ? ", and its posture or this node's amendments let it run"
                              : ", whose posture lets it run") +
             (verdict.own_number ? ": the number is the caller's own" : "");
    case Why::kForeignAbi: text += " came through a foreign ABI"; break;
    case Why::kEndedBySignal: text += " ended the process"; break;
    case Why::kContained: text += " came from a container that is contained already"; break;
  }
  if (verdict.own_filter_denies) text += ", and the container's own seccomp profile refuses it";
  if (verdict.refused) text += ": nothing more is done";
  if (verdict.calmed)
    text += "; a storm guard is in force for the workload, else more would have been done";
  if (verdict.escalated) text += "; escalated after repeated denials";
  return text;
}

}  // namespace ward::shim::supervisor
