// SPDX-License-Identifier: Apache-2.0
// How much work may go into a document that somebody else wrote, counted in steps: the same on
// every machine, and nothing that another process could use up. Who has spent it all gives the
// coarser answer. Used where a container's own filter is cut.
#pragma once

#include <cstddef>

namespace ward::filter {

class WorkBudget {
 public:
  explicit WorkBudget(std::size_t steps) : left_(steps) {}

  // False once more was asked for than was left, and from then on.
  bool spend(std::size_t steps) {
    if (steps > left_) exhausted_ = true;
    if (!exhausted_) left_ -= steps;
    return !exhausted_;
  }
  [[nodiscard]] bool exhausted() const { return exhausted_; }
  [[nodiscard]] std::size_t left() const { return exhausted_ ? 0 : left_; }

 private:
  std::size_t left_;
  bool exhausted_ = false;
};

}  // namespace ward::filter
