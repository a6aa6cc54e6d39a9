// SPDX-License-Identifier: Apache-2.0
// A seccomp program: the classic BPF that libseccomp writes and the kernel runs. Evaluated here for
// calls that are judged in user space, and unfolded into the conditions under which one call gets
// each of its answers. Pure.
// Source: https://www.kernel.org/doc/html/latest/networking/filter.html and seccomp(2), struct seccomp_data.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/answer.h"
#include "profiles/filter/work_budget.h"

namespace ward::filter {

class FilterProgram {
 public:
  // Under these conditions, which no other path of the call shares, the answer is this one.
  struct Path {
    Conjunction conditions;  // empty: whatever the arguments
    Answer answer;
  };

  // kInvalidArgument for what the kernel would not load, and for instructions that libseccomp does
  // not write.
  static Result<FilterProgram> check(std::vector<sock_filter> instructions);

  [[nodiscard]] Answer answer(std::uint32_t arch, int nr, const CallArgs& args) const;
  // What the kernel's seccomp returns: SECCOMP_RET_* and its data.
  [[nodiscard]] std::uint32_t run(std::uint32_t arch, int nr, const CallArgs& args) const;
  // All of them together are the whole call. Absent where there are too many for the budget.
  [[nodiscard]] std::optional<std::vector<Path>> paths(std::uint32_t arch, int nr,
                                                       WorkBudget& budget) const;

  [[nodiscard]] const std::vector<sock_filter>& instructions() const { return instructions_; }

 private:
  explicit FilterProgram(std::vector<sock_filter> instructions)
      : instructions_(std::move(instructions)) {}

  std::vector<sock_filter> instructions_;
};

}  // namespace ward::filter
