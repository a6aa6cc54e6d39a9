// SPDX-License-Identifier: Apache-2.0
// The container's own filter: the program that the runtime would have loaded for it (I12), native architecture. One of
// the two judges of seccomp_intersect.h; the same program answers in user space.
#pragma once

#include <optional>
#include <vector>

#include "lib/base/result.h"
#include "lib/oci/filter_program.h"
#include "lib/oci/runtime_filter.h"

namespace ward::oci {

class OwnFilter {
 public:
  struct Rule {
    Answer answer;
    Conjunction conditions;
  };

  OwnFilter() = default;  // there is none: everything is allowed
  // `lists_native`: the document it was made of lists the native architecture.
  OwnFilter(FilterProgram program, bool lists_native) : program_(std::move(program)), lists_native_(lists_native) {}
  // Within this process and without a bound: make_runtime_filter().
  static Result<OwnFilter> make(const Seccomp& seccomp, const RuntimeHabits& habits = {});

  [[nodiscard]] bool present() const { return program_.has_value(); }
  // A filter that takes its place has to list the same: the runtime's stub depends on it.
  [[nodiscard]] bool lists_native() const { return lists_native_; }
  [[nodiscard]] Answer verdict(int nr, const CallArgs& args) const;
  // Rules of which exactly one holds for each call of the number. Absent where there are too many to cut a filter by.
  [[nodiscard]] std::optional<std::vector<Rule>> rules_of(int nr) const;
  // Which of `rules` holds: the one of the flags, counted from `first`, that is set; of several the strictest.
  [[nodiscard]] static Answer strictest(const std::vector<Rule>& rules, const std::vector<bool>& held,
                                        std::size_t first);

 private:
  std::optional<FilterProgram> program_;
  bool lists_native_ = true;
};

}  // namespace ward::oci
