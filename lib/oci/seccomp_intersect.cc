// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/seccomp_intersect.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <limits>

namespace ward::oci {
namespace {

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

const Answer* stricter(const Answer* one, const Answer& other) {
  return one == nullptr || rank(other.action) < rank(one->action) ? &other : one;
}

Answer answer_of(SeccompAction action, const std::optional<std::uint32_t>& errno_ret) {
  const bool carries_errno = action == SeccompAction::kErrno || action == SeccompAction::kTrace;
  return {action, carries_errno ? errno_ret.value_or(EPERM) : 0};
}

bool all_hold(const Conjunction& conditions, const CallArgs& args) {
  return std::all_of(conditions.begin(), conditions.end(),
                     [&](const SeccompArg& c) { return c.index < args.size() && holds(c, args[c.index]); });
}

template <typename Rule>
bool by_number(const Rule& a, const Rule& b) {
  return a.nr < b.nr;
}

template <typename Rule>
auto range_of(const std::vector<Rule>& rules, int nr) {
  Rule wanted;
  wanted.nr = static_cast<std::uint32_t>(nr);
  return std::equal_range(rules.begin(), rules.end(), wanted, by_number<Rule>);
}

bool compares_by_order(const SeccompArg& c) {
  return c.op == CompareOp::kLt || c.op == CompareOp::kLe || c.op == CompareOp::kGe || c.op == CompareOp::kGt;
}

// Always or never true; beyond 32 bits by order; masked, but compared with bits outside of the mask.
bool is_degenerate(const SeccompArg& c) {
  if (c.op == CompareOp::kMaskedEq) return (c.value_two & ~c.value) != 0;
  if (compares_by_order(c) && c.value > std::numeric_limits<std::uint32_t>::max()) return true;
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  const bool starts_at_zero = c.op == CompareOp::kLt || c.op == CompareOp::kGe;
  return compares_by_order(c) && c.value == (starts_at_zero ? 0 : kMax);
}

// Neighbours may touch; NE and masks count as meeting everything.
bool may_meet(const SeccompArg& a, const SeccompArg& b) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  const auto low = [](const SeccompArg& c) {
    if (c.op == CompareOp::kEq || c.op == CompareOp::kGe) return c.value;
    return c.op == CompareOp::kGt ? c.value + 1 : 0;
  };
  const auto high = [](const SeccompArg& c) {
    if (c.op == CompareOp::kEq || c.op == CompareOp::kLe) return c.value;
    return c.op == CompareOp::kLt ? c.value - 1 : kMax;
  };
  return low(a) <= high(b) && low(b) <= high(a);
}

// The runtime turns a rule with several conditions on one index into one rule per condition (fact 3).
std::vector<Conjunction> as_loaded(const std::vector<SeccompArg>& args) {
  std::array<int, 6> count{};
  for (const SeccompArg& arg : args) {
    if (arg.index < count.size()) ++count[arg.index];
  }
  if (std::none_of(count.begin(), count.end(), [](int n) { return n > 1; })) return {args};
  std::vector<Conjunction> split;
  split.reserve(args.size());
  for (const SeccompArg& arg : args) split.push_back({arg});
  return split;
}

}  // namespace

CallTable::CallTable(std::vector<CallRule> rules, std::vector<std::uint32_t> enosys)
    : rules_(std::move(rules)), enosys_(std::move(enosys)) {
  std::stable_sort(rules_.begin(), rules_.end(), by_number<CallRule>);
  std::sort(enosys_.begin(), enosys_.end());
}

bool CallTable::allows(int nr, const CallArgs& args, std::uint32_t layers) const {
  if (answers_enosys(nr)) return false;
  const auto [begin, end] = range_of(rules_, nr);
  return std::any_of(begin, end, [&](const CallRule& rule) {
    if ((rule.layers & layers) == 0) return false;
    return rule.alternatives.empty() || std::any_of(rule.alternatives.begin(), rule.alternatives.end(),
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

OwnFilter::OwnFilter(const Seccomp& seccomp)
    : present_(true), default_(answer_of(seccomp.default_action, seccomp.default_errno_ret)) {
  for (const SeccompRule& rule : seccomp.rules) {
    for (const std::string& name : rule.names) {
      const auto nr = find_syscall(name);
      if (!nr) continue;  // the runtime passes over such names as well
      for (Conjunction& conditions : as_loaded(rule.args)) {
        rules_.push_back(
            {static_cast<std::uint32_t>(*nr), answer_of(rule.action, rule.errno_ret), std::move(conditions)});
      }
    }
  }
  std::stable_sort(rules_.begin(), rules_.end(), by_number<Rule>);
  distrust_order();
  rules_.shrink_to_fit();
}

// libseccomp 2.5.4 makes wrong programs of some rule sets (docs/kernel-notes.md): by order where another
// argument is tested too, where actions differ, where ranges overlap, and where a
// comparison is degenerate.
// What the kernel would say is then unknown: the strictest answer counts for the whole call. One argument, one action
// (socket families below 38, 39 and above 40, as default filters have it) is sound.
void OwnFilter::distrust_order() {
  std::vector<Rule> kept;
  for (auto begin = rules_.begin(); begin != rules_.end();) {
    const auto end = std::find_if(begin, rules_.end(), [&](const Rule& rule) { return rule.nr != begin->nr; });
    bool by_order = false;
    bool mixed = false;
    bool degenerate = false;
    const Answer* strictest = &default_;
    for (auto rule = begin; rule != end; ++rule) {
      mixed = mixed || rule->answer != begin->answer || rule->conditions.size() != 1 || begin->conditions.size() != 1 ||
              rule->conditions[0].index != begin->conditions[0].index;
      for (const SeccompArg& c : rule->conditions) {
        by_order = by_order || compares_by_order(c);
        degenerate = degenerate || is_degenerate(c);
        for (auto other = begin; other != rule && !mixed; ++other) mixed = may_meet(c, other->conditions[0]);
      }
      strictest = stricter(strictest, rule->answer);
    }
    if (degenerate || (by_order && mixed)) {
      kept.push_back({begin->nr, *strictest, {}});
    } else {
      kept.insert(kept.end(), std::make_move_iterator(begin), std::make_move_iterator(end));
    }
    begin = end;
  }
  rules_ = std::move(kept);
}

Answer OwnFilter::verdict(int nr, const CallArgs& args) const {
  const Answer* found = nullptr;
  const auto [begin, end] = range_of(rules_, nr);
  for (auto rule = begin; rule != end; ++rule) {
    if (all_hold(rule->conditions, args)) found = stricter(found, rule->answer);
  }
  return found == nullptr ? default_ : *found;
}

Answer OwnFilter::strictest(const std::vector<Rule>& rules, const std::vector<bool>& held, std::size_t first) const {
  const Answer* found = nullptr;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (held[first + i]) found = stricter(found, rules[i].answer);
  }
  return found == nullptr ? default_ : *found;
}

std::vector<OwnFilter::Rule> OwnFilter::rules_of(int nr) const {
  const auto [begin, end] = range_of(rules_, nr);
  return {begin, end};
}

}  // namespace ward::oci
