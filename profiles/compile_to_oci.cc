// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <set>

#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/harm/danger.h"

namespace ward::profiles {
namespace {

// What the profile's maker did not know of, and so did not leave out, is ENOSYS as well.
void add_newer(const node::v1::CompiledProfile& profile, oci::Seccomp& filter) {
  if (profile.knows_up_to() == 0) return;
  std::set<std::string> named;
  for (const oci::SeccompRule& rule : filter.rules)
    named.insert(rule.names.begin(), rule.names.end());
  oci::SeccompRule newer{{}, oci::SeccompAction::kErrno, ENOSYS, {}};
  for (const auto& [name, nr] : oci::known_syscalls()) {
    if (oci::order_of_appearance(nr) > profile.knows_up_to() && !named.contains(name))
      newer.names.push_back(name);
  }
  if (!newer.names.empty()) filter.rules.push_back(std::move(newer));
}

bool lists(const google::protobuf::RepeatedField<std::uint32_t>& numbers, int nr) {
  return std::find(numbers.begin(), numbers.end(), static_cast<std::uint32_t>(nr)) != numbers.end();
}

// The rule for the runtime's own calls. A thread is no namespace: clone has a rule of its own,
// unless the profile has one, which allows threads anyway.
void add_runtime(const node::v1::CompiledProfile& profile, const RuntimeCalls& runtime,
                 oci::Seccomp& filter) {
  oci::SeccompRule plain{{}, oci::SeccompAction::kAllow, std::nullopt, {}};
  for (const std::string& name : runtime.allowed) {
    const auto nr = oci::find_syscall(name);
    // What is answered ENOSYS has another call that its caller then makes.
    if (!nr || lists(profile.enosys(), *nr)) continue;
    if (name != "clone") {
      plain.names.push_back(name);
      continue;
    }
    const bool ruled = std::any_of(
        profile.syscalls().begin(), profile.syscalls().end(),
        [&](const node::v1::SyscallRule& rule) { return static_cast<int>(rule.nr()) == *nr; });
    if (ruled) continue;
    filter.rules.push_back({{name},
                            oci::SeccompAction::kAllow,
                            std::nullopt,
                            {{0, kNamespaceFlags, 0, oci::CompareOp::kMaskedEq}}});
  }
  filter.rules.insert(filter.rules.begin(), std::move(plain));
}

// An allow-list: what some layer allows runs, the rest is EPERM, clone3 is ENOSYS so that libc
// falls back.
oci::Seccomp allow_list(const node::v1::CompiledProfile& profile, const RuntimeCalls& runtime) {
  oci::Seccomp filter;
  filter.default_action = oci::SeccompAction::kErrno;
  filter.default_errno_ret = EPERM;
  filter.architectures = {oci::native_scmp_arch()};
  add_runtime(profile, runtime, filter);
  std::vector<node::v1::SyscallRule> rules(profile.syscalls().begin(), profile.syscalls().end());
  rules.insert(rules.end(), profile.tolerated().begin(), profile.tolerated().end());
  for (const node::v1::SyscallRule& rule : rules) {
    const auto name = oci::find_syscall_name(static_cast<int>(rule.nr()));
    std::vector<std::string>& plain = filter.rules.front().names;
    if (!name || std::find(plain.begin(), plain.end(), *name) != plain.end()) continue;
    if (rule.alternatives().empty()) plain.push_back(*name);
    for (const auto& alternative : rule.alternatives()) {
      filter.rules.push_back(
          {{*name}, oci::SeccompAction::kAllow, std::nullopt, filter::to_conjunction(alternative)});
    }
  }
  std::sort(filter.rules.front().names.begin(), filter.rules.front().names.end());
  for (const std::uint32_t nr : profile.enosys()) {
    if (const auto name = oci::find_syscall_name(static_cast<int>(nr))) {
      filter.rules.push_back({{*name}, oci::SeccompAction::kErrno, ENOSYS, {}});
    }
  }
  add_newer(profile, filter);
  return filter;
}

}  // namespace

Result<oci::Seccomp> compile_to_oci(const Profile& profile, Supervision supervision,
                                    const RuntimeCalls& runtime) {
  // Without the shim nothing is recorded, and no value of the danger set is looked for.
  Profile exported = profile;
  if (profile.posture == Posture::kLenient) exported.posture = Posture::kBalanced;
  const auto message = compile_for_one_origin(exported);
  if (!message) return tl::unexpected<Error>(message.error());
  if (supervision == Supervision::kUnsupervised) return allow_list(*message, runtime);
  return filter::complement_form(filter::to_table(*message), filter::OwnFilter());
}

}  // namespace ward::profiles
