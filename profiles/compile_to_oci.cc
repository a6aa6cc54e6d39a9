// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <set>

#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/filter/seccomp_intersect.h"

namespace ward::profiles {
namespace {

// What runc itself calls under the filter before the program starts (K8), of all the versions that
// were measured. Ward's shim knows by the moment that these are the runtime's; a filter used
// without the shim has to allow them for ever.
constexpr std::string_view kRuntimeCalls[] = {
    "capget",       "capset",  "chdir",      "close",  "epoll_ctl", "execve",     "faccessat2",
    "fcntl",        "fstat",   "fstatfs",    "futex",  "getcwd",    "getdents64", "getgid",
    "getpid",       "getppid", "newfstatat", "openat", "openat2",   "prctl",      "read",
    "rt_sigreturn", "setgid",  "setgroups",  "setuid", "statx",     "write"};

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

// An allow-list: what some layer allows runs, the rest is EPERM, clone3 is ENOSYS so that libc
// falls back.
oci::Seccomp allow_list(const node::v1::CompiledProfile& profile) {
  oci::Seccomp filter;
  filter.default_action = oci::SeccompAction::kErrno;
  filter.default_errno_ret = EPERM;
  filter.architectures = {oci::native_scmp_arch()};
  oci::SeccompRule plain{{}, oci::SeccompAction::kAllow, std::nullopt, {}};
  for (const std::string_view name : kRuntimeCalls) {
    if (oci::find_syscall(name)) plain.names.emplace_back(name);
  }
  for (const node::v1::SyscallRule& rule : profile.syscalls()) {
    const auto name = oci::find_syscall_name(static_cast<int>(rule.nr()));
    if (!name || std::find(plain.names.begin(), plain.names.end(), *name) != plain.names.end())
      continue;
    if (rule.alternatives().empty()) plain.names.push_back(*name);
    for (const auto& alternative : rule.alternatives()) {
      filter.rules.push_back(
          {{*name}, oci::SeccompAction::kAllow, std::nullopt, filter::to_conjunction(alternative)});
    }
  }
  std::sort(plain.names.begin(), plain.names.end());
  filter.rules.insert(filter.rules.begin(), std::move(plain));
  for (const std::uint32_t nr : profile.enosys()) {
    if (const auto name = oci::find_syscall_name(static_cast<int>(nr))) {
      filter.rules.push_back({{*name}, oci::SeccompAction::kErrno, ENOSYS, {}});
    }
  }
  add_newer(profile, filter);
  return filter;
}

}  // namespace

Result<oci::Seccomp> compile_to_oci(const Profile& profile, Supervision supervision) {
  const auto message = compile(profile);
  if (!message) return tl::unexpected<Error>(message.error());
  if (supervision == Supervision::kUnsupervised) return allow_list(*message);
  return filter::complement_form(filter::to_table(*message), filter::OwnFilter());
}

}  // namespace ward::profiles
