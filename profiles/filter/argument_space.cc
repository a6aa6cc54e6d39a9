// SPDX-License-Identifier: Apache-2.0
// One argument after the other: the values of argument i fall into classes by which conditions on i
// hold; what is left of the problem is the same within a class, so it is solved once per class, and
// classes with the same solution are one.
#include "profiles/filter/argument_space.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace ward::filter {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t kArguments = 6;
using Pieces = std::vector<Piece>;
using Held =
    std::vector<bool>;  // by conjunction: false once one of its conditions is known not to hold

// Values that share a solution, as single conditions of which one holds. `absent` means every
// value.
struct ValueClass {
  std::vector<std::optional<oci::SeccompArg>> conditions;
  Pieces rest;
};

struct Interval {
  std::uint64_t low, high;  // both included
};

// Aligned blocks of 2^n values: a range between two others is a union of them, and a masked
// comparison names each.
void append_blocks(std::uint32_t index, Interval range,
                   std::vector<std::optional<oci::SeccompArg>>& out) {
  for (std::uint64_t low = range.low;;) {
    std::uint64_t size_minus_one = 0;
    while (size_minus_one != kMax) {
      const std::uint64_t wider = size_minus_one * 2 + 1;
      if ((low & wider) != 0 || wider > range.high - low) break;
      size_minus_one = wider;
    }
    if (size_minus_one == 0) {
      out.push_back(oci::SeccompArg{index, low, 0, oci::CompareOp::kEq});
    } else {
      out.push_back(oci::SeccompArg{index, ~size_minus_one, low, oci::CompareOp::kMaskedEq});
    }
    if (range.high - low == size_minus_one) return;
    low += size_minus_one + 1;
  }
}

// `intervals` are sorted, disjoint and do not touch.
std::vector<std::optional<oci::SeccompArg>> conditions_of(std::uint32_t index,
                                                          const std::vector<Interval>& intervals) {
  std::vector<std::optional<oci::SeccompArg>> out;
  if (intervals.size() == 2 && intervals[0].low == 0 && intervals[1].high == kMax &&
      intervals[0].high + 2 == intervals[1].low) {
    out.push_back(oci::SeccompArg{index, intervals[0].high + 1, 0, oci::CompareOp::kNe});
    return out;
  }
  for (const Interval& range : intervals) {
    if (range.low == 0 && range.high == kMax) {
      out.emplace_back();
    } else if (range.low == range.high) {
      out.push_back(oci::SeccompArg{index, range.low, 0, oci::CompareOp::kEq});
    } else if (range.low == 0) {
      out.push_back(oci::SeccompArg{index, range.high, 0, oci::CompareOp::kLe});
    } else if (range.high == kMax) {
      out.push_back(oci::SeccompArg{index, range.low, 0, oci::CompareOp::kGe});
    } else {
      append_blocks(index, range, out);
    }
  }
  return out;
}

enum class Truth { kHolds, kFails, kOpen };

// All values x with (x & mask) == bits: does the condition hold on all, on none, or is it open?
Truth truth_on(const oci::SeccompArg& c, std::uint64_t mask, std::uint64_t bits) {
  const std::uint64_t least = bits;
  const std::uint64_t most = bits | ~mask;
  const auto decided = [](bool holds_on_all, bool fails_on_all) {
    return holds_on_all ? Truth::kHolds : fails_on_all ? Truth::kFails : Truth::kOpen;
  };
  switch (c.op) {
    case oci::CompareOp::kEq:
      return decided(mask == kMax && bits == c.value, (c.value & mask) != bits);
    case oci::CompareOp::kNe:
      return decided((c.value & mask) != bits, mask == kMax && bits == c.value);
    case oci::CompareOp::kLt: return decided(most < c.value, least >= c.value);
    case oci::CompareOp::kLe: return decided(most <= c.value, least > c.value);
    case oci::CompareOp::kGe: return decided(least >= c.value, most < c.value);
    case oci::CompareOp::kGt: return decided(least > c.value, most <= c.value);
    case oci::CompareOp::kMaskedEq:
    case oci::CompareOp::kMaskedNe: {
      const bool differs =
          (c.value_two & ~c.value) != 0 || ((bits ^ c.value_two) & mask & c.value) != 0;
      const bool equals = !differs && (c.value & ~mask) == 0;
      return c.op == oci::CompareOp::kMaskedEq ? decided(equals, differs)
                                               : decided(differs, equals);
    }
    case oci::CompareOp::kMaskedLt:
      return decided((most & c.value) < c.value_two, (least & c.value) >= c.value_two);
    case oci::CompareOp::kMaskedGe:
      return decided((least & c.value) >= c.value_two, (most & c.value) < c.value_two);
  }
  return Truth::kOpen;
}

bool is_masked(const oci::SeccompArg& c) {
  return c.op == oci::CompareOp::kMaskedEq || c.op == oci::CompareOp::kMaskedNe ||
         c.op == oci::CompareOp::kMaskedLt || c.op == oci::CompareOp::kMaskedGe;
}

// Does it look at single bits? Else it holds on a few ranges of values: it compares the whole
// argument, or its upper bits alone.
bool looks_at_bits(const oci::SeccompArg& c) {
  const bool upper_bits = c.value != 0 && (~c.value & (~c.value + 1)) == 0;
  return is_masked(c) && (!upper_bits || (c.value_two & ~c.value) != 0);
}

// The values from which on a condition on ranges may hold otherwise than before.
void add_changes(const oci::SeccompArg& c, std::set<std::uint64_t>& starts) {
  const std::uint64_t first = is_masked(c) ? c.value_two : c.value;
  const std::uint64_t last = is_masked(c) ? c.value_two | ~c.value : c.value;
  const bool before = c.op != oci::CompareOp::kLe && c.op != oci::CompareOp::kGt;
  const bool after = c.op != oci::CompareOp::kLt && c.op != oci::CompareOp::kGe &&
                     c.op != oci::CompareOp::kMaskedLt && c.op != oci::CompareOp::kMaskedGe;
  if (before) starts.insert(first);
  if (after && last != kMax) starts.insert(last + 1);
}

class Partition {
 public:
  Partition(const std::vector<Conjunction>& conjunctions,
            const std::function<Answer(const Held&)>& label,
            const std::function<std::optional<Answer>(const Held&)>& settled,
            std::size_t max_pieces, WorkBudget& budget, const std::optional<Answer>& unsaid)
      : conjunctions_(conjunctions),
        label_(label),
        settled_(settled),
        max_pieces_(max_pieces),
        budget_(budget),
        unsaid_(unsaid) {
    std::set<std::uint32_t> indexes;
    for (const Conjunction& conjunction : conjunctions) {
      step_ += 1 + conjunction.size();
      for (const oci::SeccompArg& c : conjunction) indexes.insert(c.index);
    }
    several_arguments_ = indexes.size() > 1;
  }

  // The pieces of arguments `index` and up, for values of the earlier ones under which `held` is
  // so.
  Pieces solve(std::uint32_t index, const Held& held) {
    if (!look_at_all()) return {};
    if (const auto answer = settled_(held)) return all_of(*answer);
    if (index == kArguments) return all_of(label_(held));
    std::vector<oci::SeccompArg> conditions;
    for_each_on(index, held,
                [&](std::size_t, const oci::SeccompArg& c) { conditions.push_back(c); });
    if (conditions.empty()) return solve(index + 1, held);
    classes_.emplace_back();
    // libseccomp 2.5.4 does not come back from some rule sets that compare by order on one argument
    // and test another as well (K35): where several arguments are filtered, only equality and masks
    // are used.
    const bool by_bits = several_arguments_ || !ranges_suffice(index, held, conditions);
    if (by_bits) {
      std::vector<Block> blocks;
      if (const auto whole = split_by_bits(index, held, {0, 0, 0}, blocks))
        blocks.push_back({0, 0, *whole});
      for (const Block& block : blocks)
        classes_.back()[block.value_class].conditions.push_back(block_condition(index, block));
    } else {
      split_by_ranges(index, held, conditions);
    }
    Pieces pieces;
    for (const ValueClass& one : classes_.back()) {
      for (const auto& condition : one.conditions) {
        if (!append(condition, one.rest, pieces)) break;
      }
    }
    classes_.pop_back();
    return pieces;
  }

  // Nothing that was found is worth anything then.
  [[nodiscard]] bool exhausted() const { return exhausted_; }

 private:
  struct Block {
    std::uint64_t mask, bits;
    std::size_t value_class;
  };

  // Every step of the work looks at each condition a few times, and costs about a hundred looks
  // besides. A filter written to be hard costs what the budget says and no more: whoever loops asks
  // here first, and stops at once.
  bool look_at_all() {
    if (!exhausted_ && !budget_.spend(step_)) exhausted_ = true;
    return !exhausted_;
  }

  [[nodiscard]] Pieces all_of(const Answer& answer) const {
    return unsaid_ == answer ? Pieces{} : Pieces{Piece{{}, answer}};
  }

  // The conditions on one argument of the conjunctions that are still held.
  template <typename F>
  void for_each_on(std::uint32_t index, const Held& held, F f) const {
    for (std::size_t i = 0; i < conjunctions_.size(); ++i) {
      if (!held[i]) continue;
      for (const oci::SeccompArg& c : conjunctions_[i]) {
        if (c.index == index) f(i, c);
      }
    }
  }

  // The class of values on which exactly `held` is left.
  std::size_t class_of(std::uint32_t index, const Held& held) {
    auto known = solved_.find({index + 1, held});
    if (known == solved_.end()) {
      Pieces solution = solve(index + 1, held);
      known = solved_.emplace(std::pair(index + 1, held), std::move(solution)).first;
    }
    const Pieces& rest = known->second;
    std::vector<ValueClass>& classes = classes_.back();
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (classes[i].rest == rest) return i;
    }
    // Each class is a piece at least.
    if (classes.size() >= max_pieces_) exhausted_ = true;
    classes.push_back({{}, rest});
    return classes.size() - 1;
  }

  // Between two of these no condition changes, those that look at bits apart.
  static std::vector<Interval> ranges_of(const std::vector<oci::SeccompArg>& conditions) {
    std::set<std::uint64_t> starts = {0};
    for (const oci::SeccompArg& c : conditions) {
      if (!looks_at_bits(c)) add_changes(c, starts);
    }
    std::vector<Interval> ranges;
    for (auto start = starts.begin(); start != starts.end(); ++start) {
      const auto next = std::next(start);
      ranges.push_back({*start, next == starts.end() ? kMax : *next - 1});
    }
    return ranges;
  }

  // What may still hold in a range; a condition that looks at bits is decided only where the range
  // is one value.
  Held held_in(std::uint32_t index, const Held& held, const Interval& range) const {
    Held left = held;
    for_each_on(index, held, [&](std::size_t i, const oci::SeccompArg& c) {
      const bool decided = !looks_at_bits(c) || range.low == range.high;
      if (decided && !holds(c, range.low)) left[i] = false;
    });
    return left;
  }

  // Ranges say it all where the answer is settled in every range that a mask would cut further.
  bool ranges_suffice(std::uint32_t index, const Held& held,
                      const std::vector<oci::SeccompArg>& conditions) {
    if (std::none_of(conditions.begin(), conditions.end(), looks_at_bits)) return true;
    for (const Interval& range : ranges_of(conditions)) {
      if (!look_at_all()) return true;
      const Held left = held_in(index, held, range);
      bool cut = false;
      for_each_on(index, left,
                  [&](std::size_t, const oci::SeccompArg& c) { cut = cut || looks_at_bits(c); });
      if (cut && range.low != range.high && !settled_(left)) return false;
    }
    return true;
  }

  void split_by_ranges(std::uint32_t index, const Held& held,
                       const std::vector<oci::SeccompArg>& conditions) {
    std::vector<std::vector<Interval>> ranges;  // by class
    for (const Interval& range : ranges_of(conditions)) {
      if (!look_at_all()) return;
      const Held left = held_in(index, held, range);
      const std::size_t value_class = class_of(index, left);
      if (exhausted_) return;
      ranges.resize(std::max(ranges.size(), value_class + 1));
      std::vector<Interval>& same = ranges[value_class];
      if (!same.empty() && same.back().high + 1 == range.low) {
        same.back().high = range.high;
      } else {
        same.push_back(range);
      }
    }
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      ValueClass& same = classes_.back()[i];
      if (!same.rest.empty()) same.conditions = conditions_of(index, ranges[i]);
    }
  }

  // Decides bit by bit until every condition is decided. A class where the whole block is of it;
  // otherwise its parts are appended to `out`.
  std::optional<std::size_t> split_by_bits(std::uint32_t index, const Held& held, Block block,
                                           std::vector<Block>& out) {
    if (!look_at_all()) return std::nullopt;
    Held left = held;
    const auto drop_failed = [&](std::size_t i, const oci::SeccompArg& c) {
      if (truth_on(c, block.mask, block.bits) == Truth::kFails) left[i] = false;
    };
    for_each_on(index, held, drop_failed);
    if (settled_(left)) return class_of(index, left);
    std::uint64_t open_bits = 0;
    for_each_on(index, left, [&](std::size_t, const oci::SeccompArg& c) {
      if (truth_on(c, block.mask, block.bits) != Truth::kOpen) return;
      open_bits |= (is_masked(c) ? c.value : kMax) & ~block.mask;
    });
    if (open_bits == 0) return class_of(index, left);
    std::uint64_t bit = 1ULL << 63U;
    while ((open_bits & bit) == 0) bit >>= 1U;
    const Block low{block.mask | bit, block.bits, 0};
    const Block high{block.mask | bit, block.bits | bit, 0};
    const auto low_class = split_by_bits(index, held, low, out);
    const auto high_class = split_by_bits(index, held, high, out);
    if (exhausted_) return std::nullopt;
    if (low_class && low_class == high_class) return low_class;
    const auto is_said = [&](const std::optional<std::size_t>& one) {
      return one && !classes_.back()[*one].rest.empty();
    };
    if (is_said(low_class)) out.push_back({low.mask, low.bits, *low_class});
    if (is_said(high_class)) out.push_back({high.mask, high.bits, *high_class});
    if (out.size() > max_pieces_) exhausted_ = true;
    return std::nullopt;
  }

  static std::optional<oci::SeccompArg> block_condition(std::uint32_t index, const Block& block) {
    if (block.mask == 0) return std::nullopt;
    if (block.mask == kMax) return oci::SeccompArg{index, block.bits, 0, oci::CompareOp::kEq};
    return oci::SeccompArg{index, block.mask, block.bits, oci::CompareOp::kMaskedEq};
  }

  bool append(const std::optional<oci::SeccompArg>& condition, const Pieces& rest, Pieces& pieces) {
    if (pieces.size() + rest.size() > max_pieces_) exhausted_ = true;
    if (exhausted_) return false;
    for (const Piece& tail : rest) {
      Piece piece;
      if (condition) piece.conditions.push_back(*condition);
      piece.conditions.insert(piece.conditions.end(), tail.conditions.begin(),
                              tail.conditions.end());
      piece.label = tail.label;
      pieces.push_back(std::move(piece));
    }
    return true;
  }

  const std::vector<Conjunction>& conjunctions_;
  const std::function<Answer(const Held&)>& label_;
  const std::function<std::optional<Answer>(const Held&)>& settled_;
  const std::size_t max_pieces_;
  WorkBudget& budget_;
  const std::optional<Answer> unsaid_;
  std::size_t step_ = 100;
  bool several_arguments_ = false;
  bool exhausted_ = false;
  std::map<std::pair<std::uint32_t, Held>, Pieces> solved_;
  std::vector<std::vector<ValueClass>> classes_;  // one list for each argument being split
};

}  // namespace

std::optional<std::vector<Piece>> partition(
    const std::vector<Conjunction>& conjunctions,
    const std::function<Answer(const std::vector<bool>&)>& label,
    const std::function<std::optional<Answer>(const std::vector<bool>&)>& settled,
    std::size_t max_pieces, WorkBudget& budget, const std::optional<Answer>& unsaid) {
  Partition work(conjunctions, label, settled, max_pieces, budget, unsaid);
  auto pieces = work.solve(0, Held(conjunctions.size(), true));
  if (work.exhausted()) return std::nullopt;
  return pieces;
}

}  // namespace ward::filter
