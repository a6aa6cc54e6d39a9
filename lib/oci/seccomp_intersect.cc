// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/seccomp_intersect.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <map>

namespace ward::oci {
namespace {

// A program of the kernel holds 4096 instructions (BPF_MAXINSNS) and each rule of a call needs one
// at least: no runtime loads more rules of one call. Runc 1.1.5 loads 4000 and fails at 8000.
constexpr std::size_t kMaxRulesOfOneCall = 4096;
// Of all calls. libseccomp lets calls share instructions, so that a real filter may have more than
// 4096.
constexpr std::size_t kMaxRules = 1U << 16U;

constexpr std::uint32_t kMaxErrno = 4095;  // MAX_ERRNO of the kernel

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
  // The runtime and libseccomp keep the low 16 bits (SECCOMP_RET_DATA).
  return {action, carries_errno(action) ? errno_ret.value_or(EPERM) & 0xFFFFU : 0};
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

// The values that a condition may hold on. NE and masks count as holding everywhere.
struct Extent {
  std::uint64_t low, high;  // both included
};

Extent extent_of(const SeccompArg& c) {
  Extent extent{0, std::numeric_limits<std::uint64_t>::max()};
  if (c.op == CompareOp::kEq || c.op == CompareOp::kGe) extent.low = c.value;
  if (c.op == CompareOp::kGt) extent.low = c.value + 1;
  if (c.op == CompareOp::kEq || c.op == CompareOp::kLe) extent.high = c.value;
  if (c.op == CompareOp::kLt) extent.high = c.value - 1;
  return extent;
}

// Do any two have a value in common? Neighbours may touch.
bool any_meet(std::vector<Extent> extents) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.low < b.low; });
  const auto meets = [](const Extent& a, const Extent& b) { return b.low <= a.high; };
  return std::adjacent_find(extents.begin(), extents.end(), meets) != extents.end();
}

// libseccomp compares a name with every one that it knows; a filter may bring a million. So each
// number is asked for its name once, and names are looked up here. Made where it is needed: a shim
// lives long and is to be small.
class NumbersByName {
 public:
  NumbersByName() {
    for (int nr = 0; nr < kSyscallSearchEnd; ++nr) {
      if (auto name = find_syscall_name(nr)) known_.emplace(*std::move(name), static_cast<std::uint32_t>(nr));
    }
  }

  // Without names that are not known, as the runtime passes over them as well; each number once.
  [[nodiscard]] std::vector<std::uint32_t> of(const std::vector<std::string>& names) const {
    std::vector<std::uint32_t> numbers;
    for (const std::string& name : names) {
      const auto found = known_.find(name);
      if (found != known_.end()) numbers.push_back(found->second);
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    return numbers;
  }

 private:
  std::map<std::string, std::uint32_t> known_;
};

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

int Answer::error_number() const {
  // The kernel cuts larger numbers down (seccomp(2), SECCOMP_RET_ERRNO); without a tracer a traced
  // call is no call.
  if (action == SeccompAction::kErrno) return static_cast<int>(std::min(errno_ret & 0xFFFFU, kMaxErrno));
  return action == SeccompAction::kTrace ? ENOSYS : EPERM;
}

OwnFilter::OwnFilter(const Seccomp& seccomp)
    : present_(true), default_(answer_of(seccomp.default_action, seccomp.default_errno_ret)) {
  take_rules(seccomp);
  std::stable_sort(rules_.begin(), rules_.end(), by_number<Rule>);
  distrust_order();
  rules_.shrink_to_fit();
}

void OwnFilter::take_rules(const Seccomp& seccomp) {
  struct Share {
    std::size_t rules = 0;
    bool crowded = false;
    Answer strictest;
  };
  std::map<std::uint32_t, Share> shares;
  const NumbersByName numbers;
  for (const SeccompRule& rule : seccomp.rules) {
    const Answer answer = answer_of(rule.action, rule.errno_ret);
    const std::vector<Conjunction> loaded = as_loaded(rule.args);
    for (const std::uint32_t nr : numbers.of(rule.names)) {
      Share& share = shares.try_emplace(nr, Share{0, false, default_}).first->second;
      share.strictest = *stricter(&share.strictest, answer);
      share.crowded = share.crowded || share.rules + loaded.size() > kMaxRulesOfOneCall ||
                      rules_.size() + loaded.size() > kMaxRules;
      if (share.crowded) continue;
      share.rules += loaded.size();
      for (const Conjunction& conditions : loaded) rules_.push_back({nr, answer, conditions});
    }
  }
  std::erase_if(rules_, [&](const Rule& rule) { return shares[rule.nr].crowded; });
  for (const auto& [nr, share] : shares) {
    if (!share.crowded) continue;
    crowded_.push_back(nr);
    rules_.push_back({nr, share.strictest, {}});
  }
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
    std::vector<Extent> extents;
    for (auto rule = begin; rule != end; ++rule) {
      mixed = mixed || rule->answer != begin->answer || rule->conditions.size() != 1 || begin->conditions.size() != 1 ||
              rule->conditions[0].index != begin->conditions[0].index;
      for (const SeccompArg& c : rule->conditions) {
        by_order = by_order || compares_by_order(c);
        degenerate = degenerate || is_degenerate(c);
        if (!mixed) extents.push_back(extent_of(c));
      }
      strictest = stricter(strictest, rule->answer);
    }
    if (degenerate || (by_order && (mixed || any_meet(std::move(extents))))) {
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

Result<void> check_error_numbers(const Seccomp& seccomp) {
  const auto check = [](SeccompAction action, const std::optional<std::uint32_t>& number) -> Result<void> {
    const bool refused = action == SeccompAction::kErrno && number && (*number & 0xFFFFU) >= kMaxErrno;
    if (!refused) return {};
    return fail(Code::kInvalidArgument, std::to_string(*number) + " is no error number that a runtime loads: the low " +
                                            "16 bits must be below " + std::to_string(kMaxErrno));
  };
  if (auto ok = check(seccomp.default_action, seccomp.default_errno_ret); !ok) {
    return fail_with("defaultErrnoRet", std::move(ok).error());
  }
  const NumbersByName numbers;
  for (std::size_t i = 0; i < seccomp.rules.size(); ++i) {
    const SeccompRule& rule = seccomp.rules[i];
    auto ok = check(rule.action, rule.errno_ret);
    // The runtime passes over a rule of which it knows no name.
    if (ok || numbers.of(rule.names).empty()) continue;
    return fail_with("syscalls[" + std::to_string(i) + "].errnoRet", std::move(ok).error());
  }
  return {};
}

}  // namespace ward::oci
