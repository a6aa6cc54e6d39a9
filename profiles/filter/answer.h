// SPDX-License-Identifier: Apache-2.0
// One system call as a filter sees it, conditions on it, and what a filter answers. Shared by
// everything here that makes, cuts or evaluates filters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lib/oci/seccomp.h"

namespace ward::filter {

using CallArgs = std::array<std::uint64_t, 6>;
using Conjunction =
    std::vector<oci::SeccompArg>;  // all must hold; here several on one index are AND'ed

// Does the action bring a number along?
constexpr bool carries_errno(oci::SeccompAction action) {
  return action == oci::SeccompAction::kErrno || action == oci::SeccompAction::kTrace;
}

struct Answer {
  oci::SeccompAction action = oci::SeccompAction::kAllow;
  std::uint32_t errno_ret = 0;  // of kErrno and kTrace, as it is loaded: 16 bits
  [[nodiscard]] bool executes() const {
    return action == oci::SeccompAction::kAllow || action == oci::SeccompAction::kLog;
  }
  // The caller, or its thread, ends: what no error number can say.
  [[nodiscard]] bool kills() const {
    return action == oci::SeccompAction::kKillProcess || action == oci::SeccompAction::kKillThread;
  }
  [[nodiscard]] bool signals() const { return kills() || action == oci::SeccompAction::kTrap; }
  // What the caller of a call that does not execute is told, 0 to 4095: what the kernel makes of
  // such an answer. 0 is "it went well", although nothing ran. Where the kernel would send a signal
  // instead, EPERM.
  [[nodiscard]] int error_number() const;
  bool operator==(const Answer&) const = default;
};

}  // namespace ward::filter
