// SPDX-License-Identifier: Apache-2.0
#include "profiles/ruling.h"

#include <algorithm>

#include "lib/oci/seccomp.h"
#include "profiles/baselines/baselines.h"
#include "profiles/diff.h"
#include "profiles/effective.h"
#include "profiles/harm/bundle.h"
#include "profiles/nearest_rule.h"
#include "profiles/posture.h"
#include "profiles/words.h"

namespace ward::profiles {
namespace {

enum class Fit { kNo, kMaybe, kYes };

Fit fit(const ArgFilter& filter, const KnownArguments& arguments) {
  const auto& known = arguments.at(filter.index);
  if (!known) return Fit::kMaybe;
  const auto has = [](const std::vector<std::uint64_t>& list, std::uint64_t value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  bool holds = false;
  if (!filter.none_of.empty()) {
    holds = !has(filter.none_of, *known & 0xFFFF'FFFFU);
  } else {
    holds = has(filter.one_of, filter.mask ? *known & *filter.mask : *known);
  }
  return holds ? Fit::kYes : Fit::kNo;
}

Fit fit(const SyscallEntry& entry, const KnownArguments& arguments) {
  Fit best = Fit::kNo;
  for (const ArgFilters& filters : alternatives_of(entry)) {
    Fit all = Fit::kYes;
    for (const ArgFilter& filter : filters) all = std::min(all, fit(filter, arguments));
    best = std::max(best, all);
  }
  return best;
}

Fit fit(const SyscallSet& set, const AskedCall& call) {
  const auto found = set.find(call.syscall);
  return found == set.end() ? Fit::kNo : fit(found->second, call.arguments);
}

std::vector<Layer> layers_in(const AskedCall& call) {
  if (call.phase == Layer::kBoot) return {Layer::kServing, Layer::kBoot};
  if (call.phase == Layer::kExec && call.sessions == Sessions::kLayer)
    return {Layer::kServing, Layer::kBoot, Layer::kExec};
  return {Layer::kServing};
}

class Judge {
 public:
  Judge(const Profile& profile, const Places& places, const std::string& file,
        const AskedCall& call)
      : profile_(profile), finder_{profile, places, file}, call_(call) {}

  Ruling rule() {
    ruling_.harm = std::string(harm_class_name(class_of(call_.syscall, call_.arguments)));
    ruling_.danger = class_of(call_.syscall, call_.arguments) == HarmClass::kDanger;
    ruling_.signature = signature();
    if (profile_.refused.contains(call_.syscall))
      ruling_.refused = "where the container's own filter refuses it, that is no violation (" +
                        finder_.place("refused." + call_.syscall) + ")";
    const bool by_a_layer = call_.syscall == "clone3" ? is_clone3() : is_in_a_layer();
    if (!by_a_layer && !is_by_posture() && !is_newer()) act();
    if (ruling_.kind == Ruling::Kind::kActedUpon || ruling_.kind == Ruling::Kind::kNewer)
      find_nearest(finder_, call_, ruling_);
    return std::move(ruling_);
  }

 private:
  bool decide(Ruling::Kind kind, RuleFound rule, std::string verdict) {
    ruling_.kind = kind;
    ruling_.rule = std::move(rule);
    ruling_.verdict = std::move(verdict);
    return true;
  }
  std::string moment() const {
    if (call_.phase == Layer::kExec) return "to exec sessions";
    return call_.phase == Layer::kBoot ? "while the workload boots" : "while the workload serves";
  }

  std::string signature() const {
    std::string reasons;
    for (const Accept& accept : without_bundles(profile_.accept)) {
      if (accept.syscall != call_.syscall) continue;
      if (!accept.args.empty() && fit({accept.syscall, accept.args}, call_.arguments) == Fit::kNo)
        continue;
      reasons += (reasons.empty() ? "" : "; ") + accept.reason;
    }
    return reasons;
  }

  bool is_clone3() {
    return decide(Ruling::Kind::kNewer, {"", "clone3", "every profile", ""},
                  "clone3 is answered ENOSYS by every profile, because it hides its flags behind a "
                  "pointer; libc falls back to clone");
  }

  bool is_in_a_layer() {
    for (const Layer layer : layers_in(call_)) {
      const SyscallSet set = effective_layer(profile_, layer);
      const Fit fits = fit(set, call_);
      if (fits == Fit::kNo) continue;
      const RuleFound rule = finder_.in_layer(layer, call_.syscall, set.at(call_.syscall));
      if (fits == Fit::kYes)
        return decide(Ruling::Kind::kAllowed, rule, call_.syscall + " is allowed " + moment());
      decide(Ruling::Kind::kDepends, rule,
             call_.syscall + " is allowed " + moment() + " with some arguments: name them");
    }
    return ruling_.kind == Ruling::Kind::kDepends;
  }

  RuleFound posture_rule() const {
    const std::string name(posture_name(profile_.posture));
    return {"", "posture: " + name, "class " + ruling_.harm, finder_.place("posture")};
  }

  bool is_by_posture() {
    const std::string by = ", for posture " + std::string(posture_name(profile_.posture));
    Fit fits = fit(allowed_by(profile_.posture), call_);
    if (call_.phase == Layer::kExec && call_.sessions == Sessions::kLayer)
      fits = std::max(fits, fit(allowed_to_exec_by(profile_.posture), call_));
    if (fits == Fit::kYes) {
      return decide(Ruling::Kind::kAllowed, posture_rule(),
                    call_.syscall + " is not listed, and allowed" + by +
                        " puts it in the filter: its harm class is " + ruling_.harm);
    }
    if (ruling_.danger || profile_.posture == Posture::kStrict) return false;
    if (class_of(call_.syscall, call_.arguments) > tolerated_at_most(profile_.posture))
      return false;
    return decide(Ruling::Kind::kLetRun, posture_rule(),
                  call_.syscall + " is not listed; it runs and is recorded" + by +
                      " lets harm class " + ruling_.harm + " run");
  }

  bool is_newer() {
    if (ruling_.danger) return false;
    if (!is_newer_than(profile_, oci::find_syscall(call_.syscall).value_or(0))) return false;
    return decide(
        Ruling::Kind::kNewer,
        {"", "knows: " + profile_.knows->name, "newer than the profile", finder_.place("knows")},
        call_.syscall + " is newer than all calls that the profile knows (up to " +
            profile_.knows->name + "): it is answered ENOSYS, and recorded");
  }

  void act() {
    const bool exec = call_.phase == Layer::kExec;
    const Reaction& reaction = exec ? profile_.on_exec : profile_.on_workload;
    const std::string subject = exec ? "onViolation.exec" : "onViolation.workload";
    const std::string action(action_name(reaction.action));
    std::string place = finder_.place(subject);
    decide(Ruling::Kind::kActedUpon,
           {"", subject + ": " + action, place.empty() ? "the default" : "written in the profile",
            place},
           call_.syscall + " is not allowed " + moment() + ": no rule lists it" +
               (ruling_.danger ? ", it is in the danger set, which learning alone never allows,"
                               : "") +
               " and it is met with " + action);
  }

  const Profile& profile_;
  RuleFinder finder_;
  const AskedCall& call_;
  Ruling ruling_;
};

}  // namespace

Ruling rule_on(const Profile& profile, const Places& places, const std::string& file,
               const AskedCall& call) {
  return Judge(profile, places, file, call).rule();
}

std::string_view ruling_name(Ruling::Kind kind) {
  switch (kind) {
    case Ruling::Kind::kAllowed: return "allowed";
    case Ruling::Kind::kLetRun: return "let-run";
    case Ruling::Kind::kActedUpon: return "acted-upon";
    case Ruling::Kind::kNewer: return "newer";
    case Ruling::Kind::kDepends: return "depends";
  }
  return "";
}

}  // namespace ward::profiles
