// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/one_profile.h"

#include <algorithm>
#include <set>

#include "profiles/baselines/baselines.h"
#include "profiles/compile.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::enforcer {
namespace {

const node::v1::ProfileRef* find_ref(const node::v1::CompiledIndex& index,
                                     const std::string& name) {
  const auto found = std::find_if(index.profiles().begin(), index.profiles().end(),
                                  [&](const auto& ref) { return ref.name() == name; });
  return found == index.profiles().end() ? nullptr : &*found;
}

// What a rule had before the policy's own words, as profiles/resolve.cc gives it.
node::v1::Actions default_actions(const node::v1::Rule& rule, const node::v1::ProfileRef* before) {
  if (before != nullptr) return before->actions();
  static const profiles::Profile kUnnamed;
  const auto& stand_in =
      rule.missing() == node::v1::MISSING_BASELINE ? profiles::baseline_profile() : kUnnamed;
  return profiles::to_proto(stand_in.on_workload, stand_in.on_exec, stand_in.on_refused);
}

void remove_unnamed(profiles::Resolved& resolved) {
  std::set<std::string> named{resolved.index.baseline().compiled_sha256()};
  for (const auto& ref : resolved.index.profiles()) named.insert(ref.compiled_sha256());
  std::set<std::string> kept;
  std::erase_if(resolved.files, [&](const profiles::SealedBytes& file) {
    return named.count(file.sha256) == 0 || !kept.insert(file.sha256).second;
  });
}

}  // namespace

Sources sources_of_profile(const Sources& all, const std::filesystem::path& target,
                           const std::string& name) {
  Sources out;
  out.profiles_exist = true;
  for (const SourceFile& file : all.profiles) {
    if (file.path != target) {
      const auto profile = profiles::read_profile(file.text, file.path.string());
      if (!profile || profile->name != name) continue;
    }
    out.profiles.push_back(file);
  }
  return out;
}

Result<profiles::Resolved> with_profile(const InForce& in_force, const profiles::Resolved& alone,
                                        const std::string& name) {
  const node::v1::ProfileRef& now = *find_ref(alone.index, name);
  const node::v1::ProfileRef* before = find_ref(in_force.index, name);
  profiles::Resolved out;
  out.index = in_force.index;
  out.files = in_force.files;
  out.files.insert(out.files.end(), alone.files.begin(), alone.files.end());
  for (node::v1::Rule& rule : *out.index.mutable_rules()) {
    if (rule.profile_name() != name) continue;
    if (now.rehearsal() && rule.mode() == node::v1::MODE_ENFORCE)
      return fail(Code::kFailedPrecondition,
                  "it is for rehearsal, and policy '" + rule.policy() + "' enforces it");
    if (default_actions(rule, before).SerializeAsString() != now.actions().SerializeAsString()) {
      return fail(Code::kFailedPrecondition,
                  "its onViolation is another than before, and policy '" + rule.policy() +
                      "' names it: mend the other files of this node first, because only "
                      "they say which reactions are the policy's own");
    }
    rule.set_profile_digest(now.digest());
    rule.set_compiled_sha256(now.compiled_sha256());
  }
  std::vector<node::v1::ProfileRef> refs;
  for (const auto& ref : in_force.index.profiles()) {
    if (ref.name() != name) refs.push_back(ref);
  }
  refs.push_back(now);
  std::sort(refs.begin(), refs.end(),
            [](const auto& a, const auto& b) { return a.name() < b.name(); });
  out.index.mutable_profiles()->Assign(refs.begin(), refs.end());
  remove_unnamed(out);
  return out;
}

}  // namespace ward::enforcer
