// SPDX-License-Identifier: Apache-2.0
// The container's own filter: the program that the runtime would have loaded for it (I12), native
// architecture. One of the two judges of seccomp_intersect.h; the same program answers in user
// space.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/filter_program.h"
#include "profiles/filter/runtime_filter.h"

namespace ward::filter {

class OwnFilter {
 public:
  struct Rule {
    Answer answer;
    Conjunction conditions;
  };

  OwnFilter() = default;  // there is none: everything is allowed
  // `document`: what the program was made of.
  OwnFilter(FilterProgram program, const oci::Seccomp& document)
      : program_(std::make_shared<const FilterProgram>(std::move(program))),
        architectures_(carried_architectures(document)),
        flags_(document.flags) {}
  // Within this process and without a bound: make_runtime_filter().
  static Result<OwnFilter> make(const oci::Seccomp& seccomp, const RuntimeHabits& habits = {});

  [[nodiscard]] bool present() const { return program_ != nullptr; }
  // What a filter that takes its place has to say too: the runtime's stub depends on the
  // architectures, and some of them, as some flags, it is the runtime's to refuse.
  [[nodiscard]] const std::vector<std::string>& architectures() const { return architectures_; }
  [[nodiscard]] const std::optional<std::vector<std::string>>& flags() const { return flags_; }
  [[nodiscard]] Answer verdict(int nr, const CallArgs& args) const;
  // Rules of which exactly one holds for each call of the number. Absent where there are too many
  // to cut a filter by.
  [[nodiscard]] std::optional<std::vector<Rule>> rules_of(int nr) const;
  // Which of `rules` holds: the one of the flags, counted from `first`, that is set; of several the
  // strictest.
  [[nodiscard]] static Answer strictest(const std::vector<Rule>& rules,
                                        const std::vector<bool>& held, std::size_t first);

 private:
  std::shared_ptr<const FilterProgram> program_;  // never changes: copies share it
  std::vector<std::string> architectures_{oci::native_scmp_arch()};
  std::optional<std::vector<std::string>> flags_;
};

}  // namespace ward::filter
