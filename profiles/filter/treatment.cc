// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/treatment.h"

#include <algorithm>
#include <optional>

#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "profiles/filter/record_rule.h"
#include "profiles/filter/terms.h"

namespace ward::filter {
namespace {

using node::v1::Identity;
using node::v1::ProfileRef;
using node::v1::Rule;

// For a container that no rule selects: the first that would, were it not exempt, is what a person
// wonders about.
void note_exemption(const Governing& governing, std::vector<std::string>& notes) {
  const auto& rule = governing.left_alone_by;
  if (!rule || rule->mode() <= node::v1::MODE_OFF) return;
  notes.push_back("left alone: " + governing.exempt_as + ", and policy '" + rule->policy() +
                  "' does not include that");
}

// The same words as a message's numbers.
std::optional<node::v1::Mode> mode_word(std::string_view word) {
  const auto mode = find_mode(word);
  return mode ? std::optional(to_proto(*mode)) : std::nullopt;
}

std::optional<node::v1::Action> action_word(std::string_view word) {
  const auto action = find_action(word);
  return action ? std::optional(to_proto(*action)) : std::nullopt;
}

std::optional<node::v1::Sessions> sessions_word(std::string_view word) {
  const auto sessions = find_sessions(word);
  return sessions ? std::optional(to_proto(*sessions)) : std::nullopt;
}

// What the pod asks for, where it is stricter; a word that is not known or would loosen is left
// aside and noted (I2).
template <typename Value, typename Find>
Value stricter(Value now, std::string_view key,
               const std::map<std::string, std::string>& annotations, Find find,
               std::vector<std::string>& notes) {
  const auto asked = annotations.find(std::string(key));
  if (asked == annotations.end()) return now;
  const std::string shown =
      "annotation " + std::string(key) + ": '" + escape(asked->second, 64) + "'";
  const auto value = find(asked->second);
  if (!value) {
    notes.push_back(shown + " is not a known word and is ignored");
    return now;
  }
  if (*value < now) notes.push_back(shown + " would be less strict than the policy and is ignored");
  return std::max(now, *value);
}

void complete(node::v1::Actions& actions, const node::v1::Actions& from) {
  if (actions.workload() == node::v1::ACTION_UNSPECIFIED) actions.set_workload(from.workload());
  if (actions.exec() == node::v1::ACTION_UNSPECIFIED) actions.set_exec(from.exec());
  if (actions.refused() == node::v1::REFUSED_UNSPECIFIED) actions.set_refused(from.refused());
  if (actions.escalate_to() == node::v1::ACTION_UNSPECIFIED &&
      from.escalate_to() > actions.workload()) {
    actions.set_escalate_to(from.escalate_to());
    actions.set_escalate_after(from.escalate_after());
    actions.set_escalate_window_s(from.escalate_window_s());
  }
}

// The answer where neither policy nor profile says anything.
node::v1::Actions default_actions() {
  node::v1::Actions actions;
  actions.set_workload(node::v1::ACTION_QUARANTINE);
  actions.set_exec(node::v1::ACTION_DENY);
  actions.set_refused(node::v1::REFUSED_LOG);
  return actions;
}

Result<std::optional<ProfileRef>> find_profile(IndexReader& index, const Rule& rule,
                                               const std::string& name) {
  if (name.empty()) return std::optional<ProfileRef>();
  if (rule.compiled_sha256().empty()) return index.find_profile(name);
  ProfileRef ref;
  ref.set_name(name);
  ref.set_compiled_sha256(rule.compiled_sha256());
  return std::optional<ProfileRef>(std::move(ref));
}

Result<void> use_profile(IndexReader& index, const Rule& rule, const Identity& identity,
                         Treatment& treatment) {
  const std::string name = expand(rule.profile_name(), identity);
  auto found = find_profile(index, rule, name);
  if (!found) return fail_with("compiled index", found.error());
  auto& ref = *found;
  const std::string what = name.empty() ? "policy '" + rule.policy() + "' names no profile"
                                        : "profile '" + name + "' does not exist on this node";
  if (!ref && rule.missing() == node::v1::MISSING_LEARN) {
    treatment.mode = node::v1::MODE_LEARN;
    treatment.notes.push_back(what + ": learning");
    return {};
  }
  if (!ref && rule.missing() == node::v1::MISSING_BASELINE &&
      !index.baseline().compiled_sha256().empty()) {
    ref = index.baseline();
    treatment.notes.push_back(what + ": baseline '" + ref->name() + "' is in force");
  }
  if (!ref) {
    return fail(Code::kFailedPrecondition, what + " and policy '" + rule.policy() +
                                               "' says `missing: refuse`: apply it with `ward "
                                               "profile apply`, or let the policy learn");
  }
  treatment.compiled_sha256 = ref->compiled_sha256();
  complete(treatment.actions, ref->actions());
  complete(treatment.actions, default_actions());
  return {};
}

void decide_sessions(const Rule& rule, const std::map<std::string, std::string>& annotations,
                     Treatment& treatment) {
  const node::v1::Sessions by_policy =
      std::max(rule.sessions(), node::v1::SESSIONS_LAYER);  // unspecified: an older wardd's
  treatment.sessions =
      stricter(by_policy, kSessionsAnnotation, annotations, sessions_word, treatment.notes);
  if (treatment.sessions != node::v1::SESSIONS_REFUSE) return;
  const std::string place =
      rule.file().empty() ? "" : " (" + rule.file() + ":" + std::to_string(rule.line()) + ")";
  treatment.sessions_refused_by =
      by_policy == node::v1::SESSIONS_REFUSE
          ? "rule " + std::to_string(rule.number()) + " of policy '" + rule.policy() + "'" + place
          : "its annotation " + std::string(kSessionsAnnotation);
}

// A person's request for a recording never loosens what a policy says, and never takes a container
// away from a recording that a policy asks for.
void take_request(const IndexReader& index, const Identity& identity, Treatment& treatment) {
  if (treatment.mode != node::v1::MODE_OFF) return;
  const node::v1::RecordRule* const asked = find_record(index.records(), identity, wall_ns());
  if (asked == nullptr) return;
  treatment.mode = node::v1::MODE_LEARN;
  treatment.workload = asked->workload().empty() ? default_workload(identity) : asked->workload();
  treatment.record_id = asked->id();
  treatment.record_until_wall_ns = asked->until_wall_ns();
}

Result<Treatment> decide_by_policy(IndexReader& index, const Identity& identity,
                                   const std::map<std::string, std::string>& annotations) {
  Treatment treatment;
  const auto governing = index.find_governing(identity);
  if (!governing)
    return fail_with("refused, because the compiled index cannot be read", governing.error());
  const auto& rule = governing->rule;
  if (!rule) {
    note_exemption(*governing, treatment.notes);
    return treatment;
  }
  treatment.policy = rule->policy();
  treatment.actions = rule->actions();
  const node::v1::Mode by_policy =
      rule->mode() == node::v1::MODE_UNSPECIFIED ? node::v1::MODE_OFF : rule->mode();
  treatment.mode = stricter(by_policy, kModeAnnotation, annotations, mode_word, treatment.notes);
  treatment.workload =
      rule->workload().empty() ? default_workload(identity) : expand(rule->workload(), identity);
  // A pod cannot choose a profile: where the policy names none, there is none to enforce.
  if (treatment.mode > by_policy && treatment.mode > node::v1::MODE_LEARN &&
      rule->profile_name().empty()) {
    treatment.notes.push_back("annotation " + std::string(kModeAnnotation) +
                              " is ignored: policy '" + rule->policy() + "' names no profile");
    treatment.mode = by_policy;
  }
  if (treatment.mode == node::v1::MODE_OFF || treatment.mode == node::v1::MODE_LEARN)
    return treatment;
  if (auto used = use_profile(index, *rule, identity, treatment); !used)
    return tl::unexpected<Error>(used.error());
  if (treatment.mode == node::v1::MODE_LEARN) return treatment;
  treatment.actions.set_workload(stricter(treatment.actions.workload(), kActionAnnotation,
                                          annotations, action_word, treatment.notes));
  decide_sessions(*rule, annotations, treatment);
  return treatment;
}

// A storm guard that is in force for the workload makes what it is treated by milder.
void take_calm(const IndexReader& index, Treatment& treatment) {
  if (treatment.mode != node::v1::MODE_ENFORCE) return;
  for (const node::v1::Calmed& calmed : index.calmed()) {
    if (calmed.workload() != treatment.workload || calmed.until_wall_ns() <= wall_ns()) continue;
    treatment.actions.set_calmed_to(calmed.then());
    treatment.actions.set_calmed_until_wall_ns(calmed.until_wall_ns());
    treatment.notes.emplace_back("a storm guard is in force for its workload");
  }
}

}  // namespace

Result<Treatment> decide_treatment(IndexReader& index, const Identity& identity,
                                   const std::map<std::string, std::string>& annotations) {
  auto treatment = decide_by_policy(index, identity, annotations);
  if (treatment) take_request(index, identity, *treatment);
  if (treatment) take_calm(index, *treatment);
  return treatment;
}

}  // namespace ward::filter
