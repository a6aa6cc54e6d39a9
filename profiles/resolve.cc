// SPDX-License-Identifier: Apache-2.0
#include "profiles/resolve.h"

#include <map>
#include <set>

#include "profiles/amend_terms.h"
#include "profiles/baselines/baselines.h"
#include "profiles/canonical.h"
#include "profiles/enforce_after.h"
#include "profiles/name_template.h"
#include "profiles/words.h"

namespace ward::profiles {
namespace {

using node::v1::ProfileRef;
using node::v1::Rule;

bool is_template(std::string_view text) { return text.find('{') != std::string_view::npos; }

node::v1::StormGuard to_proto(const StormGuard& guard) {
  node::v1::StormGuard out;
  out.set_after(guard.after);
  out.set_within_s(static_cast<std::uint32_t>(guard.within.count()));
  out.set_pods(guard.pods);
  out.set_then(filter::to_proto(guard.then));
  return out;
}

node::v1::Missing to_proto(Missing missing) {
  switch (missing) {
    case Missing::kRefuse: return node::v1::MISSING_REFUSE;
    case Missing::kBaseline: return node::v1::MISSING_BASELINE;
    case Missing::kLearn: return node::v1::MISSING_LEARN;
  }
  return node::v1::MISSING_UNSPECIFIED;
}

void set_selector(node::v1::Selector& out, const Selector& selector) {
  out.mutable_containerd_namespaces()->Assign(selector.containerd_namespaces.begin(),
                                              selector.containerd_namespaces.end());
  out.mutable_kubernetes_namespaces()->Assign(selector.kubernetes_namespaces.begin(),
                                              selector.kubernetes_namespaces.end());
  out.mutable_pods()->Assign(selector.pods.begin(), selector.pods.end());
  out.mutable_containers()->Assign(selector.containers.begin(), selector.containers.end());
  out.mutable_images()->Assign(selector.images.begin(), selector.images.end());
  out.set_include_sandboxes(selector.include_sandboxes);
  out.set_include_privileged(selector.include_privileged);
  out.set_include_kube_system(selector.include_kube_system);
}

Result<ProfileRef> compile_into(const Profile& profile, std::vector<SealedBytes>& files) {
  const auto compiled = compile(profile);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  SealedBytes sealed = seal(*compiled);
  ProfileRef ref;
  ref.set_name(profile.name);
  ref.set_digest(compiled->digest());
  ref.set_compiled_sha256(sealed.sha256);
  *ref.mutable_actions() = compiled->actions();
  ref.set_rehearsal(profile.rehearsal);
  files.push_back(std::move(sealed));
  return ref;
}

// The policy's words first. Escalation stays the profile's, unless the policy's action is already
// as strict.
void override_actions(node::v1::Actions& actions, const PolicyRule& rule) {
  if (rule.on_workload) actions.set_workload(filter::to_proto(*rule.on_workload));
  if (rule.on_exec) actions.set_exec(filter::to_proto(*rule.on_exec));
  if (rule.on_refused) actions.set_refused(profiles::to_proto(*rule.on_refused));
  if (actions.escalate_to() > actions.workload()) return;
  actions.clear_escalate_to();
  actions.clear_escalate_after();
  actions.clear_escalate_window_s();
}

class Resolver {
 public:
  Resolver(Resolved& out, const std::vector<Policy>& policies, const std::vector<Profile>& profiles,
           const std::map<std::string, ProfileRef>& refs)
      : out_(out), profiles_(profiles), refs_(refs) {
    const std::vector<AmendRule> rules = amend_rules(policies);
    for (const Profile& profile : profiles)
      if (amend_terms(rules, profile.name).other) unamended_.insert(profile.name);
  }

  void add(const Policy& policy, std::size_t number) {
    const PolicyRule& rule = policy.rules[number];
    Rule& compiled = *out_.index.add_rules();
    compiled.set_policy(policy.name);
    set_selector(*compiled.mutable_selector(), rule.selector);
    compiled.set_mode(filter::to_proto(rule.mode));
    compiled.set_missing(to_proto(rule.missing));
    compiled.set_sessions(filter::to_proto(rule.sessions));
    compiled.set_workload(rule.workload);
    compiled.set_profile_name(rule.profile);
    compiled.set_file(rule.place.file);
    compiled.set_number(static_cast<std::uint32_t>(number + 1));
    compiled.set_line(rule.place.line);
    for (const auto& [key, text] :
         {std::pair("profile", rule.profile), std::pair("workload", rule.workload)}) {
      const std::string choice = describe_tenants_choice(rule, text);
      if (!choice.empty()) warn(policy, number, key, choice);
    }
    if (rule.enforce_after) *compiled.mutable_enforce_after() = to_proto(*rule.enforce_after);
    if (rule.enforce_after && rule.mode == Mode::kEnforce) warn_of_gate(policy, number);
    if (rule.storm_guard) *compiled.mutable_storm_guard() = to_proto(*rule.storm_guard);
    if (is_template(rule.profile) && rule.mode == Mode::kEnforce)
      warn_of_rehearsals(policy, number);
    if (rule.amend) warn_of_amend(policy, number);
    if (rule.profile.empty()) return;
    const auto ref = refs_.find(rule.profile);
    if (ref != refs_.end()) {
      compiled.set_profile_digest(ref->second.digest());
      compiled.set_compiled_sha256(ref->second.compiled_sha256());
      *compiled.mutable_actions() = ref->second.actions();
    } else if (!is_template(rule.profile)) {
      static const Profile kUnnamed;
      const Profile& stand_in = rule.missing == Missing::kBaseline ? baseline_profile() : kUnnamed;
      *compiled.mutable_actions() =
          profiles::to_proto(stand_in.on_workload, stand_in.on_exec, stand_in.on_refused);
      warn(policy, number, "profile",
           "there is no profile '" + rule.profile +
               "'; until there is, missing: " + std::string(missing_name(rule.missing)));
    }
    override_actions(*compiled.mutable_actions(), rule);
  }

 private:
  // Files that a person put there are in force: it is said, and `apply` would have refused.
  void warn_of_gate(const Policy& policy, std::size_t number) {
    const PolicyRule& rule = policy.rules[number];
    for (const Profile& profile : profiles_) {
      if (!may_name(rule, profile.name)) continue;
      const std::string lacking = describe(shortfalls(*rule.enforce_after, profile));
      if (lacking.empty()) continue;
      warn(policy, number, "enforceAfter",
           "profile " + profile.name + " is enforced before its time: " + lacking);
    }
  }

  // A rule that names one is refused; which containers a template leads there is not known before
  // they start.
  void warn_of_rehearsals(const Policy& policy, std::size_t number) {
    for (const Profile& profile : profiles_) {
      if (!profile.rehearsal || !may_name(policy.rules[number], profile.name)) continue;
      warn(policy, number, "profile",
           "profile " + profile.name +
               " is for rehearsal, and containers that this rule enforces it for do not start");
    }
  }

  void warn_of_amend(const Policy& policy, std::size_t number) {
    const PolicyRule& rule = policy.rules[number];
    if (is_weak(*rule.amend))
      warn(policy, number, "amend",
           "amends with less than 3 containers over 24h, and what somebody has taken over may have "
           "that");
    for (const Profile& profile : profiles_) {
      if (!unamended_.contains(profile.name) || !may_name(rule, profile.name)) continue;
      warn(policy, number, "amend",
           "profile " + profile.name +
               " is not amended, because another rule that may name it does not say amend");
    }
  }

  void warn(const Policy& policy, std::size_t number, const char* key, const std::string& what) {
    out_.warned_of.emplace_back(policy.name, "rules." + std::to_string(number) + "." + key);
    out_.warnings.push_back("policy " + policy.name + ", rule " + std::to_string(number + 1) +
                            ": " + what);
  }

  Resolved& out_;
  const std::vector<Profile>& profiles_;
  const std::map<std::string, ProfileRef>& refs_;
  std::set<std::string> unamended_;  // although a rule that may name them amends
};

}  // namespace

Result<Resolved> resolve(const std::vector<Policy>& policies, const std::vector<Profile>& profiles,
                         const node::v1::NodeSettings& settings, std::uint64_t generation) {
  Resolved out;
  out.index.set_format(1);
  out.index.set_generation(generation);
  *out.index.mutable_settings() = settings;
  std::map<std::string, ProfileRef> refs;
  for (const Profile& profile : profiles) {
    auto ref = compile_into(profile, out.files);
    if (!ref) return tl::unexpected<Error>(ref.error());
    if (!refs.emplace(profile.name, std::move(*ref)).second) {
      return fail(Code::kAlreadyExists,
                  "two profiles are named '" + profile.name + "': rename one of them");
    }
  }
  auto baseline = compile_into(baseline_profile(), out.files);
  if (!baseline) return tl::unexpected<Error>(baseline.error());
  *out.index.mutable_baseline() = std::move(*baseline);
  for (const auto& [name, ref] : refs) *out.index.add_profiles() = ref;
  std::set<std::string> names;
  Resolver resolver(out, policies, profiles, refs);
  for (const Policy& policy : policies) {
    if (!names.insert(policy.name).second) {
      return fail(Code::kAlreadyExists,
                  "two policies are named '" + policy.name + "': rename one of them");
    }
    for (std::size_t i = 0; i < policy.rules.size(); ++i) resolver.add(policy, i);
  }
  return out;
}

}  // namespace ward::profiles
