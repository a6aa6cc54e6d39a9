// SPDX-License-Identifier: Apache-2.0
#include "profiles/compile.h"

#include <algorithm>
#include <optional>

#include "lib/base/digest.h"
#include "profiles/argument_choices.h"
#include "profiles/canonical.h"
#include "profiles/effective.h"
#include "profiles/filter/constants.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/harm/danger.h"
#include "profiles/harm/harm_table.h"
#include "profiles/merge.h"
#include "profiles/posture.h"
#include "profiles/validate.h"

namespace ward::profiles {
namespace {

using node::v1::ArgCondition;
using node::v1::CompiledProfile;
using node::v1::SyscallRule;

// An exec session may do what the workload may, at any time (docs/architecture.md, "who continues
// what").
std::uint32_t layers_of(Layer layer) {
  switch (layer) {
    case Layer::kRuntime: return filter::kLayerRuntime;
    case Layer::kBoot: return filter::kLayerBoot | filter::kLayerExec;
    case Layer::kServing: return filter::kLayerBoot | filter::kLayerServing | filter::kLayerExec;
    case Layer::kExec: return filter::kLayerExec;
  }
  return 0;
}

void add_condition(node::v1::Alternative& alternative, std::uint32_t index,
                   std::optional<std::uint64_t> mask, std::uint64_t value) {
  ArgCondition& condition = *alternative.add_conditions();
  condition.set_index(index);
  if (mask) {
    condition.set_op(ArgCondition::MASKED_EQ);
    condition.set_value(*mask);
    condition.set_value_two(value);
  } else {
    condition.set_op(ArgCondition::EQ);
    condition.set_value(value);
  }
}

void add_layer(CompiledProfile& compiled, const SyscallSet& entries, Layer layer,
               const SyscallSet& covered_by) {
  for (const auto& [name, entry] : entries) {
    const auto wider = covered_by.find(name);
    if (wider != covered_by.end() && covers_entry(wider->second, entry)) continue;
    const auto nr = oci::find_syscall(name);
    if (!nr) continue;  // validate() has refused it, and baselines leave such names out
    SyscallRule& rule = *compiled.add_syscalls();
    rule.set_nr(static_cast<std::uint32_t>(*nr));
    rule.set_layers(layers_of(layer));
    for (const ArgFilters& args : alternatives_of(entry)) add_alternatives(rule, args);
  }
}

SyscallRule& add_dangerous_call(CompiledProfile& compiled, std::string_view name) {
  SyscallRule& rule = *compiled.add_danger_values();
  rule.set_nr(static_cast<std::uint32_t>(oci::find_syscall(name).value_or(0)));
  return rule;
}

// For mode supervise, which continues what the profile does not allow: never these.
void add_danger(CompiledProfile& compiled) {
  for (const std::string_view name : dangerous_calls()) {
    if (const auto nr = oci::find_syscall(name))
      compiled.add_danger(static_cast<std::uint32_t>(*nr));
  }
  std::sort(compiled.mutable_danger()->begin(), compiled.mutable_danger()->end());
  constexpr std::uint64_t kIntArgument = 0xFFFFFFFF;
  for (const DangerousValue& dangerous : dangerous_values()) {
    SyscallRule& rule = add_dangerous_call(compiled, dangerous.syscall);
    add_condition(*rule.add_alternatives(), dangerous.index, kIntArgument, dangerous.value);
  }
  SyscallRule& clone = add_dangerous_call(compiled, "clone");
  for (std::uint64_t flag = 1; flag <= kNamespaceFlags; flag <<= 1U) {
    if ((kNamespaceFlags & flag) != 0) add_condition(*clone.add_alternatives(), 0, flag, flag);
  }
}

void sort_by_number(CompiledProfile& compiled) {
  std::stable_sort(compiled.mutable_syscalls()->begin(), compiled.mutable_syscalls()->end(),
                   [](const SyscallRule& a, const SyscallRule& b) { return a.nr() < b.nr(); });
}

// Rules without layers.
void add_rules(google::protobuf::RepeatedPtrField<SyscallRule>& rules, const SyscallSet& entries) {
  for (const auto& [name, entry] : entries) {
    const auto nr = oci::find_syscall(name);
    if (!nr) continue;  // validate() has refused it, or this libseccomp is too old for its name
    SyscallRule& rule = *rules.Add();
    rule.set_nr(static_cast<std::uint32_t>(*nr));
    for (const ArgFilters& args : alternatives_of(entry)) add_alternatives(rule, args);
  }
}

// What the posture lets run where a number is the caller's own. What is in the filter needs none;
// what is let run whatever the number is has one all the same, so that its record can say so.
void add_own_numbers(CompiledProfile& compiled, Posture posture, const SyscallSet& in_filter) {
  for (const HarmCall& call : harm_calls()) {
    const auto found = in_filter.find(std::string(call.name));
    if (found != in_filter.end() && found->second.args.empty()) continue;
    for (const OwnAlternative& way : own_alternatives_at_most(call, tolerated_at_most(posture))) {
      node::v1::OwnNumberRule& rule = *compiled.add_tolerated_own();
      rule.mutable_rule()->set_nr(call.nr);
      add_alternatives(*rule.mutable_rule(), way.filters);
      for (const std::uint32_t index : way.own) rule.add_own(index);
    }
  }
}

// Where the profile has conditions of its own on a call, its posture adds none: together they might
// be more than a filter has room for.
SyscallSet with_posture(const SyscallSet& listed, const SyscallSet& boot, Posture posture) {
  SyscallSet added = allowed_by(posture);
  for (const SyscallSet* own : {&listed, &boot})
    for (const auto& [name, entry] : *own)
      if (!entry.args.empty()) added.erase(name);
  return merge(listed, added);
}

std::string errors_of(const Profile& profile) {
  std::string text;
  for (const Finding& finding : validate(profile)) {
    if (finding.severity != Finding::Severity::kError) continue;
    text +=
        (text.empty() ? "" : "\n") + profile.name + ": " + finding.subject + ": " + finding.message;
  }
  return text;
}

SealedBytes seal(std::string_view magic, const google::protobuf::MessageLite& message) {
  node::v1::SealedFile file;
  file.set_magic(std::string(magic));
  file.set_payload(message.SerializeAsString());
  file.set_sha256(sha256_hex(file.payload()));
  SealedBytes sealed;
  sealed.bytes = file.SerializeAsString();
  sealed.sha256 = sha256_hex(sealed.bytes);
  return sealed;
}

}  // namespace

// Every combination of one choice for each filtered index; validate() keeps their number small.
void add_alternatives(SyscallRule& rule, const ArgFilters& args) {
  if (args.empty()) return;
  std::vector<std::vector<ArgChoice>> choices;
  choices.reserve(args.size());
  for (const ArgFilter& filter : args) choices.push_back(choices_of(filter));
  std::vector<std::size_t> chosen(args.size(), 0);
  while (true) {
    node::v1::Alternative& alternative = *rule.add_alternatives();
    for (std::size_t i = 0; i < args.size(); ++i) {
      const ArgChoice& choice = choices[i][chosen[i]];
      add_condition(alternative, args[i].index, choice.mask, choice.value);
    }
    std::size_t i = 0;
    while (i < args.size() && ++chosen[i] == choices[i].size()) chosen[i++] = 0;
    if (i == args.size()) return;
  }
}

Result<CompiledProfile> compile(const Profile& given) {
  auto compiled = compile_for_one_origin(given);
  if (!compiled) return compiled;
  // Rules of its own: joined with those of the profile index by index, they would allow mixtures.
  add_layer(*compiled, allowed_to_exec_by(given.posture), Layer::kExec,
            effective_layer(given, Layer::kServing));
  sort_by_number(*compiled);
  return compiled;
}

Result<CompiledProfile> compile_for_one_origin(const Profile& given) {
  if (const std::string errors = errors_of(given); !errors.empty())
    return fail(Code::kInvalidArgument, errors);
  const Profile profile = normalize(given);
  CompiledProfile compiled;
  compiled.set_format(1);
  compiled.set_name(profile.name);
  compiled.set_version(profile.version);
  compiled.set_digest(digest(profile));
  compiled.set_arch(oci::native_audit_arch());
  compiled.set_no_new_privileges(profile.no_new_privileges);
  compiled.set_rehearsal(profile.rehearsal);
  if (profile.knows) compiled.set_knows_up_to(profile.knows->number);
  for (const std::string& capability : profile.capabilities) compiled.add_capabilities(capability);
  const SyscallSet listed = effective_layer(profile, Layer::kServing);
  const SyscallSet boot = effective_layer(profile, Layer::kBoot);
  const SyscallSet serving = with_posture(listed, boot, profile.posture);
  add_layer(compiled, serving, Layer::kServing, {});
  add_layer(compiled, boot, Layer::kBoot, serving);
  add_layer(compiled, effective_layer(profile, Layer::kExec), Layer::kExec, merge(serving, boot));
  sort_by_number(compiled);
  if (const auto clone3 = oci::find_syscall("clone3"))
    compiled.add_enosys(static_cast<std::uint32_t>(*clone3));
  add_danger(compiled);
  compiled.set_boundary_quiet_ms(profile.boundary.quiet.count());
  compiled.set_boundary_latest_ms(profile.boundary.latest.count());
  add_rules(*compiled.mutable_refused(), profile.refused);
  add_rules(*compiled.mutable_tolerated(), tolerated_by(profile.posture, serving));
  if (profile.posture != Posture::kStrict) add_own_numbers(compiled, profile.posture, serving);
  *compiled.mutable_actions() = to_proto(profile.on_workload, profile.on_exec, profile.on_refused);
  return compiled;
}

SealedBytes seal(const CompiledProfile& profile) { return seal("ward-profile-1", profile); }

node::v1::Refused to_proto(Refused refused) {
  return refused == Refused::kAct ? node::v1::REFUSED_ACT : node::v1::REFUSED_LOG;
}

node::v1::Actions to_proto(const Reaction& workload, const Reaction& exec, Refused refused) {
  node::v1::Actions actions;
  actions.set_refused(to_proto(refused));
  actions.set_workload(filter::to_proto(workload.action));
  actions.set_exec(filter::to_proto(exec.action));
  if (workload.escalate_to) {
    actions.set_escalate_to(filter::to_proto(*workload.escalate_to));
    actions.set_escalate_after(workload.escalate_after);
    actions.set_escalate_window_s(static_cast<std::uint32_t>(workload.escalate_window.count()));
  }
  return actions;
}

}  // namespace ward::profiles
