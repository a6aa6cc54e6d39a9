// SPDX-License-Identifier: Apache-2.0
// Calls that may run where a number among their arguments is the caller's own: `kill` of itself.
// No filter in the kernel can tell, so they are asked of the supervisor. Values in, values out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "profiles/filter/seccomp_intersect.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::filter {

// The numbers by which the caller knows itself, in its own PID namespace. Absent: not known, and
// nothing is its own.
struct OwnNumbers {
  std::optional<std::uint32_t> process, thread;
  std::vector<std::uint32_t> others = {};  // of its other threads and its children, those asked for
  // In all 64 bits: a stray upper half is nobody's number, and 0 is not a number.
  [[nodiscard]] bool include(std::uint64_t argument) const {
    return argument != 0 && (argument == process.value_or(0) || argument == thread.value_or(0) ||
                             std::find(others.begin(), others.end(), argument) != others.end());
  }
};

class OwnNumberTable {
 public:
  OwnNumberTable() = default;
  explicit OwnNumberTable(const node::v1::CompiledProfile& compiled);

  // Whether the caller's numbers matter to a call of this number: they cost a look into /proc.
  [[nodiscard]] bool names(int nr) const;
  [[nodiscard]] bool allows(int nr, const CallArgs& args, const OwnNumbers& caller) const;
  [[nodiscard]] OwnNumberTable united_with(const OwnNumberTable& other) const;  // what either does

 private:
  struct Rule {
    std::uint32_t nr = 0;
    std::vector<std::uint32_t> own;  // indexes of arguments that must be the caller's
    CallTable rest;                  // and what the others must be
  };
  std::vector<Rule> rules_;
};

}  // namespace ward::filter
