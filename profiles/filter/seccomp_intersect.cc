// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/seccomp_intersect.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ward::filter {
namespace {

constexpr std::uint32_t kLargestNumber = 0xffff;  // of any call: kSyscallSearchEnd is far below

}  // namespace

CallTable::CallTable(std::vector<CallRule> rules, std::vector<std::uint32_t> enosys) {
  std::stable_sort(rules.begin(), rules.end(),
                   [](const CallRule& a, const CallRule& b) { return a.nr < b.nr; });
  std::sort(enosys.begin(), enosys.end());
  Content content;
  content.enosys = std::move(enosys);
  content.rules.reserve(rules.size());
  std::size_t conditions = 0;
  for (const CallRule& rule : rules)
    for (const Conjunction& alternative : rule.alternatives) conditions += alternative.size();
  content.conditions.reserve(conditions);
  for (const CallRule& rule : rules) add(rule, content);
  content_ = std::make_shared<const Content>(std::move(content));
}

// A number that no call can have allows nothing.
void CallTable::add(const CallRule& rule, Content& content) {
  if (rule.nr > kLargestNumber) return;
  Rule flat{static_cast<std::uint16_t>(rule.nr), static_cast<std::uint8_t>(rule.layers),
            rule.alternatives.empty(), static_cast<std::uint32_t>(content.conditions.size()), 0};
  for (const Conjunction& alternative : rule.alternatives) {
    if (alternative.empty()) flat.any_arguments = true;
    for (const oci::SeccompArg& c : alternative) {
      const std::uint32_t index = std::min<std::uint32_t>(c.index, 0xff);
      content.conditions.push_back({c.value, c.value_two, static_cast<std::uint8_t>(index),
                                    static_cast<std::uint8_t>(c.op), &c == &alternative.back()});
    }
  }
  flat.end = static_cast<std::uint32_t>(content.conditions.size());
  content.rules.push_back(flat);
}

CallRule CallTable::to_rule(const Rule& rule, const Content& content) {
  CallRule out{rule.nr, rule.layers, {}};
  if (rule.any_arguments) return out;
  Conjunction alternative;
  for (std::uint32_t i = rule.first; i < rule.end; ++i) {
    const Condition& c = content.conditions[i];
    alternative.push_back(c.unpacked());
    if (c.last) out.alternatives.push_back(std::exchange(alternative, {}));
  }
  return out;
}

bool CallTable::one_holds(const Rule& rule, const Content& content, const CallArgs& args) {
  if (rule.any_arguments) return true;
  bool all = true;
  for (std::uint32_t i = rule.first; i < rule.end; ++i) {
    const Condition& c = content.conditions[i];
    all = all && c.index < args.size() && oci::holds(c.unpacked(), args.at(c.index));
    if (c.last && std::exchange(all, true)) return true;
  }
  return false;
}

bool CallTable::allows(int nr, const CallArgs& args, std::uint32_t layers) const {
  if (answers_enosys(nr)) return false;
  const auto rules = flat_rules_of(nr);
  return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) {
    return (rule.layers & layers) != 0 && one_holds(rule, *content_, args);
  });
}

bool CallTable::names(int nr, std::uint32_t layers) const {
  const auto rules = flat_rules_of(nr);
  return std::any_of(rules.begin(), rules.end(),
                     [&](const Rule& rule) { return (rule.layers & layers) != 0; });
}

bool CallTable::answers_enosys(int nr) const {
  return content_ && std::binary_search(content_->enosys.begin(), content_->enosys.end(),
                                        static_cast<std::uint32_t>(nr));
}

std::span<const CallTable::Rule> CallTable::flat_rules_of(int nr) const {
  if (!content_ || nr < 0 || static_cast<std::uint32_t>(nr) > kLargestNumber) return {};
  Rule wanted;
  wanted.nr = static_cast<std::uint16_t>(nr);
  const auto [begin, end] =
      std::equal_range(content_->rules.begin(), content_->rules.end(), wanted,
                       [](const Rule& a, const Rule& b) { return a.nr < b.nr; });
  return {begin, end};
}

std::vector<CallRule> CallTable::rules_of(int nr) const {
  std::vector<CallRule> out;
  for (const Rule& rule : flat_rules_of(nr)) out.push_back(to_rule(rule, *content_));
  return out;
}

CallTable CallTable::united_with(const CallTable& other) const {
  static const Content kNothing;
  const Content& mine = content_ ? *content_ : kNothing;
  const Content& theirs = other.content_ ? *other.content_ : kNothing;
  std::vector<CallRule> rules;
  rules.reserve(mine.rules.size() + theirs.rules.size());
  for (const Content* content : {&mine, &theirs})
    for (const Rule& rule : content->rules) rules.push_back(to_rule(rule, *content));
  std::vector<std::uint32_t> enosys;
  std::set_intersection(mine.enosys.begin(), mine.enosys.end(), theirs.enosys.begin(),
                        theirs.enosys.end(), std::back_inserter(enosys));
  return {std::move(rules), std::move(enosys)};
}

}  // namespace ward::filter
