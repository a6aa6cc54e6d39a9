// SPDX-License-Identifier: Apache-2.0
#include "compiled/call_tables.h"

#include <utility>
#include <vector>

namespace ward::compiled {
namespace {

oci::CallRule to_rule(const node::v1::SyscallRule& syscall, std::uint32_t layers) {
  oci::CallRule rule{syscall.nr(), layers, {}};
  for (const auto& alternative : syscall.alternatives()) rule.alternatives.push_back(to_conjunction(alternative));
  return rule;
}

}  // namespace

oci::Conjunction to_conjunction(const node::v1::Alternative& alternative) {
  oci::Conjunction all;
  for (const node::v1::ArgCondition& condition : alternative.conditions()) {
    // The numbers of ArgCondition.Op follow CompareOp from 1 on.
    const int op = static_cast<int>(condition.op()) - 1;
    const bool known = op >= 0 && op <= static_cast<int>(oci::CompareOp::kMaskedEq);
    all.push_back({condition.index(), condition.value(), condition.value_two(),
                   known ? static_cast<oci::CompareOp>(op) : oci::CompareOp::kEq});
  }
  return all;
}

oci::CallTable to_table(const node::v1::CompiledProfile& compiled) {
  std::vector<oci::CallRule> rules;
  for (const auto& syscall : compiled.syscalls()) rules.push_back(to_rule(syscall, syscall.layers()));
  return {std::move(rules), {compiled.enosys().begin(), compiled.enosys().end()}};
}

oci::CallTable to_danger(const node::v1::CompiledProfile& compiled) {
  std::vector<oci::CallRule> rules;
  for (const std::uint32_t nr : compiled.danger()) rules.push_back({nr, oci::kLayerRuntime, {}});
  for (const auto& values : compiled.danger_values()) rules.push_back(to_rule(values, oci::kLayerRuntime));
  return {std::move(rules), {}};
}

oci::CallTable to_refused(const node::v1::CompiledProfile& compiled) {
  std::vector<oci::CallRule> rules;
  for (const auto& syscall : compiled.refused()) rules.push_back(to_rule(syscall, oci::kLayerRuntime));
  return {std::move(rules), {}};
}

}  // namespace ward::compiled
