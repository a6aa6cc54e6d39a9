// SPDX-License-Identifier: Apache-2.0
// Container's own filters as nobody would write them: overlapping rules, every action and
// comparison, architectures given, wrong and absent, flags, fields left out. One filter a seed, the
// same on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "lib/oci/seccomp.h"
#include "profiles/filter/answer.h"

namespace ward::testing {

class RandomFilters {
 public:
  explicit RandomFilters(std::uint64_t seed) : engine_(seed) {}

  // `calls`: the names that its rules are about; a rule may name others as well.
  oci::Seccomp filter(const std::vector<std::string>& calls);
  // Where conditions of such filters change.
  filter::CallArgs arguments();
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }

 private:
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::uint64_t value();
  oci::SeccompAction action();
  oci::SeccompArg condition();
  oci::SeccompRule rule(const std::vector<std::string>& calls);

  std::mt19937_64 engine_;
};

}  // namespace ward::testing
