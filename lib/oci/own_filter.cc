// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/own_filter.h"

#include <algorithm>
#include <cstdlib>

namespace ward::oci {
namespace {

// Work for one call: steps through the program, and conditions written down. More is never worth it: such a call is
// notified, and the program answers it.
constexpr std::size_t kMaxWorkOfOneCall = 1'000'000;

// The kernel's order: of several answers the one with the smaller rank wins. seccomp(2), "return values".
int rank(SeccompAction action) {
  switch (action) {
    case SeccompAction::kKillProcess: return 0;
    case SeccompAction::kKillThread: return 1;
    case SeccompAction::kTrap: return 2;
    case SeccompAction::kErrno: return 3;
    case SeccompAction::kNotify: return 4;
    case SeccompAction::kTrace: return 5;
    case SeccompAction::kLog: return 6;
    case SeccompAction::kAllow: return 7;
  }
  std::abort();
}

}  // namespace

Result<OwnFilter> OwnFilter::make(const Seccomp& seccomp, const RuntimeHabits& habits) {
  auto program = make_runtime_filter(seccomp, habits);
  if (!program) return tl::unexpected(std::move(program).error());
  return OwnFilter(*std::move(program), seccomp);
}

Answer OwnFilter::verdict(int nr, const CallArgs& args) const {
  return program_ ? program_->answer(native_audit_arch(), nr, args) : Answer{};
}

std::optional<std::vector<OwnFilter::Rule>> OwnFilter::rules_of(int nr) const {
  if (!program_) return std::vector<Rule>{{Answer{}, {}}};
  WorkBudget budget(kMaxWorkOfOneCall);
  auto paths = program_->paths(native_audit_arch(), nr, budget);
  if (!paths) return std::nullopt;
  std::vector<Rule> rules;
  rules.reserve(paths->size());
  for (FilterProgram::Path& path : *paths) rules.push_back({path.answer, std::move(path.conditions)});
  return rules;
}

Answer OwnFilter::strictest(const std::vector<Rule>& rules, const std::vector<bool>& held, std::size_t first) {
  const Answer* found = nullptr;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!held[first + i]) continue;
    if (found == nullptr || rank(rules[i].answer.action) < rank(found->action)) found = &rules[i].answer;
  }
  // No arguments at all satisfy what was asked about: any answer will do.
  return found == nullptr ? Answer{SeccompAction::kErrno, EPERM} : *found;
}

}  // namespace ward::oci
