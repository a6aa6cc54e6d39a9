// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/seccomp_intersect.h"

#include <algorithm>

namespace ward::filter {
namespace {

bool all_hold(const Conjunction& conditions, const CallArgs& args) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const oci::SeccompArg& c) {
    return c.index < args.size() && holds(c, args[c.index]);
  });
}

bool by_number(const CallRule& a, const CallRule& b) { return a.nr < b.nr; }

auto range_of(const std::vector<CallRule>& rules, int nr) {
  CallRule wanted;
  wanted.nr = static_cast<std::uint32_t>(nr);
  return std::equal_range(rules.begin(), rules.end(), wanted, by_number);
}

}  // namespace

CallTable::CallTable(std::vector<CallRule> rules, std::vector<std::uint32_t> enosys)
    : rules_(std::move(rules)), enosys_(std::move(enosys)) {
  std::stable_sort(rules_.begin(), rules_.end(), by_number);
  std::sort(enosys_.begin(), enosys_.end());
}

bool CallTable::allows(int nr, const CallArgs& args, std::uint32_t layers) const {
  if (answers_enosys(nr)) return false;
  const auto [begin, end] = range_of(rules_, nr);
  return std::any_of(begin, end, [&](const CallRule& rule) {
    if ((rule.layers & layers) == 0) return false;
    return rule.alternatives.empty() ||
           std::any_of(rule.alternatives.begin(), rule.alternatives.end(),
                       [&](const Conjunction& c) { return all_hold(c, args); });
  });
}

bool CallTable::answers_enosys(int nr) const {
  return std::binary_search(enosys_.begin(), enosys_.end(), static_cast<std::uint32_t>(nr));
}

std::vector<CallRule> CallTable::rules_of(int nr) const {
  const auto [begin, end] = range_of(rules_, nr);
  return {begin, end};
}

}  // namespace ward::filter
