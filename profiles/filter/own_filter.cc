// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/own_filter.h"

#include <algorithm>
#include <cstdlib>

namespace ward::filter {
namespace {

// Work for one call: steps through the program, and conditions written down. More is never worth
// it: such a call is notified, and the program answers it.
constexpr std::size_t kMaxWorkOfOneCall = 1'000'000;

// The kernel's order: of several answers the one with the smaller rank wins. seccomp(2), "return
// values".
int rank(oci::SeccompAction action) {
  switch (action) {
    case oci::SeccompAction::kKillProcess: return 0;
    case oci::SeccompAction::kKillThread: return 1;
    case oci::SeccompAction::kTrap: return 2;
    case oci::SeccompAction::kErrno: return 3;
    case oci::SeccompAction::kNotify: return 4;
    case oci::SeccompAction::kTrace: return 5;
    case oci::SeccompAction::kLog: return 6;
    case oci::SeccompAction::kAllow: return 7;
  }
  std::abort();
}

}  // namespace

Result<OwnFilter> OwnFilter::make(const oci::Seccomp& seccomp, const RuntimeHabits& habits) {
  auto program = make_runtime_filter(seccomp, habits);
  if (!program) return tl::unexpected(std::move(program).error());
  return OwnFilter(*std::move(program), seccomp);
}

Answer OwnFilter::verdict(int nr, const CallArgs& args) const {
  return program_ ? program_->answer(oci::native_audit_arch(), nr, args) : Answer{};
}

std::optional<std::vector<OwnFilter::Rule>> OwnFilter::rules_of(int nr) const {
  if (!program_) return std::vector<Rule>{{Answer{}, {}}};
  WorkBudget budget(kMaxWorkOfOneCall);
  auto paths = program_->paths(oci::native_audit_arch(), nr, budget);
  if (!paths) return std::nullopt;
  std::vector<Rule> rules;
  rules.reserve(paths->size());
  for (FilterProgram::Path& path : *paths)
    rules.push_back({path.answer, std::move(path.conditions)});
  return rules;
}

Answer OwnFilter::strictest(const std::vector<Rule>& rules, const std::vector<bool>& held,
                            std::size_t first) {
  const Answer* found = nullptr;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!held[first + i]) continue;
    if (found == nullptr || rank(rules[i].answer.action) < rank(found->action))
      found = &rules[i].answer;
  }
  // No arguments at all satisfy what was asked about: any answer will do.
  return found == nullptr ? Answer{oci::SeccompAction::kErrno, EPERM} : *found;
}

}  // namespace ward::filter
