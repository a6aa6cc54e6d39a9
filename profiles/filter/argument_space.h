// SPDX-License-Identifier: Apache-2.0
// Cuts the space of six 64-bit arguments into disjoint pieces in each of which the same
// conjunctions hold, and labels the pieces. Each piece is a conjunction with at most one condition
// on an index: all that one OCI rule can say. Used to give every argument filter its complement;
// pure.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "profiles/filter/seccomp_intersect.h"
#include "profiles/filter/work_budget.h"

namespace ward::filter {

struct Piece {
  Conjunction conditions;  // sorted by index, at most one on each; empty: everything
  Answer label;
  bool operator==(const Piece&) const = default;
};

// `label` is asked with one flag for each conjunction: does it hold? `settled` is asked likewise,
// where a flag means "may hold": it answers where that is all one needs to know. Neighbouring
// pieces of one label are joined. Absent where more than `max_pieces` would be needed or the budget
// is spent: the caller then needs an answer for the whole call. Where the label is `unsaid` there
// is no piece.
std::optional<std::vector<Piece>> partition(
    const std::vector<Conjunction>& conjunctions,
    const std::function<Answer(const std::vector<bool>&)>& label,
    const std::function<std::optional<Answer>(const std::vector<bool>&)>& settled,
    std::size_t max_pieces, WorkBudget& budget, const std::optional<Answer>& unsaid = std::nullopt);

}  // namespace ward::filter
