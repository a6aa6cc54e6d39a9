// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/runtime_calls.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ward::shim::admission {
namespace {

// Measured with runc 1.1.5 and 1.3.6, each refused alone with EPERM: without these no program
// starts.
constexpr std::array<std::string_view, 7> kAlways = {"execve",  "futex",      "write", "close",
                                                     "fstatfs", "getdents64", "openat"};
constexpr std::array<std::string_view, 11> kWithPrivileges = {
    "fstat",     "getcwd", "chdir",  "setuid", "setgid",    "getppid",
    "setgroups", "capget", "capset", "prctl",  "newfstatat"};
// An error number is survived, a signal is not.
constexpr std::array<std::string_view, 4> kUnlessSignals = {"read", "getpid", "epoll_ctl",
                                                            "rt_sigreturn"};

enum class Breaks { kAnyRefusal, kSignalsOnly };

bool refuses(const filter::OwnFilter& own, std::string_view call, Breaks breaks) {
  const auto nr = oci::find_syscall(call);
  const auto rules = nr ? own.rules_of(*nr) : std::nullopt;
  if (!rules) return false;
  return std::all_of(rules->begin(), rules->end(), [&](const filter::OwnFilter::Rule& rule) {
    return breaks == Breaks::kAnyRefusal ? !rule.answer.executes() : rule.answer.signals();
  });
}

}  // namespace

std::string refused_to_the_runtime(const filter::OwnFilter& own, bool no_new_privileges) {
  std::string names;
  const auto look = [&](const auto& calls, Breaks breaks) {
    for (const std::string_view call : calls) {
      if (refuses(own, call, breaks)) names.append(names.empty() ? "" : ", ").append(call);
    }
  };
  look(kAlways, Breaks::kAnyRefusal);
  look(kUnlessSignals, Breaks::kSignalsOnly);
  if (!no_new_privileges) look(kWithPrivileges, Breaks::kAnyRefusal);
  if (names.empty()) return {};
  return "the container's own seccomp profile refuses " + names +
         ", which the runtime itself calls under it before the container's program begins: allow " +
         (names.find(',') == std::string::npos ? "it" : "them") +
         " there (linux.seccomp, syscalls)";
}

}  // namespace ward::shim::admission
