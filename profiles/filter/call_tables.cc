// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/call_tables.h"

#include <utility>
#include <vector>

namespace ward::filter {
Conjunction to_conjunction(const node::v1::Alternative& alternative) {
  Conjunction all;
  for (const node::v1::ArgCondition& condition : alternative.conditions()) {
    // The numbers of ArgCondition.Op follow CompareOp from 1 on.
    const int op = static_cast<int>(condition.op()) - 1;
    const bool known = op >= 0 && op <= static_cast<int>(oci::CompareOp::kMaskedEq);
    all.push_back({condition.index(), condition.value(), condition.value_two(),
                   known ? static_cast<oci::CompareOp>(op) : oci::CompareOp::kEq});
  }
  return all;
}

CallRule to_rule(const node::v1::SyscallRule& syscall, std::uint32_t layers) {
  CallRule rule{syscall.nr(), layers, {}};
  for (const auto& alternative : syscall.alternatives())
    rule.alternatives.push_back(to_conjunction(alternative));
  return rule;
}

CallTable to_table(const node::v1::CompiledProfile& compiled) {
  std::vector<CallRule> rules;
  for (const auto& syscall : compiled.syscalls())
    rules.push_back(to_rule(syscall, syscall.layers()));
  return {std::move(rules), {compiled.enosys().begin(), compiled.enosys().end()}};
}

CallTable to_danger(const node::v1::CompiledProfile& compiled) {
  std::vector<CallRule> rules;
  for (const std::uint32_t nr : compiled.danger()) rules.push_back({nr, kLayerRuntime, {}});
  for (const auto& values : compiled.danger_values())
    rules.push_back(to_rule(values, kLayerRuntime));
  return {std::move(rules), {}};
}

namespace {

using SyscallRules = google::protobuf::RepeatedPtrField<node::v1::SyscallRule>;

CallTable without_layers(const SyscallRules& syscalls) {
  std::vector<CallRule> rules;
  for (const auto& syscall : syscalls) rules.push_back(to_rule(syscall, kLayerRuntime));
  return {std::move(rules), {}};
}

}  // namespace

CallTable to_refused(const node::v1::CompiledProfile& compiled) {
  return without_layers(compiled.refused());
}

CallTable to_tolerated(const node::v1::CompiledProfile& compiled) {
  return without_layers(compiled.tolerated());
}

}  // namespace ward::filter
