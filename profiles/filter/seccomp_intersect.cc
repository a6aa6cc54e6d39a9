// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/seccomp_intersect.h"

#include <algorithm>
#include <iterator>

namespace ward::filter {
namespace {

bool all_hold(const Conjunction& conditions, const CallArgs& args) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const oci::SeccompArg& c) {
    return c.index < args.size() && holds(c, args[c.index]);
  });
}

bool by_number(const CallRule& a, const CallRule& b) { return a.nr < b.nr; }

}  // namespace

CallTable::CallTable(std::vector<CallRule> rules, std::vector<std::uint32_t> enosys) {
  std::stable_sort(rules.begin(), rules.end(), by_number);
  std::sort(enosys.begin(), enosys.end());
  content_ = std::make_shared<const Content>(Content{std::move(rules), std::move(enosys)});
}

bool CallTable::allows(int nr, const CallArgs& args, std::uint32_t layers) const {
  if (answers_enosys(nr)) return false;
  const auto rules = rules_of(nr);
  return std::any_of(rules.begin(), rules.end(), [&](const CallRule& rule) {
    if ((rule.layers & layers) == 0) return false;
    return rule.alternatives.empty() ||
           std::any_of(rule.alternatives.begin(), rule.alternatives.end(),
                       [&](const Conjunction& c) { return all_hold(c, args); });
  });
}

bool CallTable::answers_enosys(int nr) const {
  return content_ && std::binary_search(content_->enosys.begin(), content_->enosys.end(),
                                        static_cast<std::uint32_t>(nr));
}

std::span<const CallRule> CallTable::rules_of(int nr) const {
  if (!content_) return {};
  CallRule wanted;
  wanted.nr = static_cast<std::uint32_t>(nr);
  const auto [begin, end] =
      std::equal_range(content_->rules.begin(), content_->rules.end(), wanted, by_number);
  return {begin, end};
}

CallTable CallTable::united_with(const CallTable& other) const {
  static const Content kNothing;
  const Content& mine = content_ ? *content_ : kNothing;
  const Content& theirs = other.content_ ? *other.content_ : kNothing;
  std::vector<CallRule> rules = mine.rules;
  rules.insert(rules.end(), theirs.rules.begin(), theirs.rules.end());
  std::vector<std::uint32_t> enosys;
  std::set_intersection(mine.enosys.begin(), mine.enosys.end(), theirs.enosys.begin(),
                        theirs.enosys.end(), std::back_inserter(enosys));
  return {std::move(rules), std::move(enosys)};
}

}  // namespace ward::filter
