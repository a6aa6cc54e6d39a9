// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <set>

#include "lib/oci/seccomp_intersect.h"
#include "profiles/compile.h"

namespace ward::profiles {
namespace {

using node::v1::ArgCondition;

// What runc itself calls under the filter before the program starts (K8), of all the versions that were measured.
// Ward's shim knows by the moment that these are the runtime's; a filter used without the shim has to allow them for
// ever.
constexpr std::string_view kRuntimeCalls[] = {
    "capget",  "capset", "chdir",  "close",        "epoll_ctl", "execve",    "faccessat2", "fcntl",      "fstat",
    "fstatfs", "futex",  "getcwd", "getdents64",   "getgid",    "getpid",    "getppid",    "newfstatat", "openat",
    "openat2", "prctl",  "read",   "rt_sigreturn", "setgid",    "setgroups", "setuid",     "statx",      "write"};

oci::Conjunction to_conjunction(const node::v1::Alternative& alternative) {
  oci::Conjunction all;
  for (const ArgCondition& c : alternative.conditions()) {
    const auto op = c.op() == ArgCondition::MASKED_EQ ? oci::CompareOp::kMaskedEq : oci::CompareOp::kEq;
    all.push_back({c.index(), c.value(), c.value_two(), op});
  }
  return all;
}

oci::CallTable to_table(const node::v1::CompiledProfile& compiled) {
  std::vector<oci::CallRule> rules;
  for (const node::v1::SyscallRule& rule : compiled.syscalls()) {
    oci::CallRule call{rule.nr(), rule.layers(), {}};
    for (const auto& alternative : rule.alternatives()) call.alternatives.push_back(to_conjunction(alternative));
    rules.push_back(std::move(call));
  }
  return {std::move(rules), {compiled.enosys().begin(), compiled.enosys().end()}};
}

// What the profile's maker did not know of, and so did not leave out, is ENOSYS as well.
void add_newer(const node::v1::CompiledProfile& compiled, oci::Seccomp& filter) {
  if (compiled.knows_up_to() == 0) return;
  std::set<std::string> named;
  for (const oci::SeccompRule& rule : filter.rules) named.insert(rule.names.begin(), rule.names.end());
  oci::SeccompRule newer{{}, oci::SeccompAction::kErrno, ENOSYS, {}};
  for (const auto& [name, nr] : oci::known_syscalls()) {
    if (oci::order_of_appearance(nr) > compiled.knows_up_to() && !named.contains(name)) newer.names.push_back(name);
  }
  if (!newer.names.empty()) filter.rules.push_back(std::move(newer));
}

// An allow-list: what some layer allows runs, the rest is EPERM, clone3 is ENOSYS so that libc falls back.
oci::Seccomp allow_list(const node::v1::CompiledProfile& compiled) {
  oci::Seccomp filter;
  filter.default_action = oci::SeccompAction::kErrno;
  filter.default_errno_ret = EPERM;
  filter.architectures = {oci::native_scmp_arch()};
  oci::SeccompRule plain{{}, oci::SeccompAction::kAllow, std::nullopt, {}};
  for (const std::string_view name : kRuntimeCalls) {
    if (oci::find_syscall(name)) plain.names.emplace_back(name);
  }
  for (const node::v1::SyscallRule& rule : compiled.syscalls()) {
    const auto name = oci::find_syscall_name(static_cast<int>(rule.nr()));
    if (!name || std::find(plain.names.begin(), plain.names.end(), *name) != plain.names.end()) continue;
    if (rule.alternatives().empty()) plain.names.push_back(*name);
    for (const auto& alternative : rule.alternatives()) {
      filter.rules.push_back({{*name}, oci::SeccompAction::kAllow, std::nullopt, to_conjunction(alternative)});
    }
  }
  std::sort(plain.names.begin(), plain.names.end());
  filter.rules.insert(filter.rules.begin(), std::move(plain));
  for (const std::uint32_t nr : compiled.enosys()) {
    if (const auto name = oci::find_syscall_name(static_cast<int>(nr))) {
      filter.rules.push_back({{*name}, oci::SeccompAction::kErrno, ENOSYS, {}});
    }
  }
  add_newer(compiled, filter);
  return filter;
}

}  // namespace

Result<oci::Seccomp> compile_to_oci(const Profile& profile, Supervision supervision) {
  const auto compiled = compile(profile);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  if (supervision == Supervision::kUnsupervised) return allow_list(*compiled);
  return oci::complement_form(to_table(*compiled), oci::OwnFilter());
}

}  // namespace ward::profiles
