// SPDX-License-Identifier: Apache-2.0
// What the loaded program of an OCI filter answers to a call, in this folder's words:
// SeccompEvaluator with Answers.
#pragma once

#include <linux/seccomp.h>

#include <stdexcept>

#include "profiles/filter/seccomp_intersect.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::filter {

class LoadedFilter {
 public:
  explicit LoadedFilter(const oci::Seccomp& seccomp) : evaluator_(compiled(seccomp)) {}

  [[nodiscard]] std::size_t instructions() const { return evaluator_.instructions(); }
  [[nodiscard]] std::uint32_t run(int nr, const CallArgs& args, std::uint32_t arch) const {
    return evaluator_.evaluate(nr, args, arch);
  }
  [[nodiscard]] Answer answer(int nr, const CallArgs& args) const {
    const std::uint32_t raw = evaluator_.evaluate(nr, args);
    const std::uint32_t data = raw & SECCOMP_RET_DATA;
    switch (raw & SECCOMP_RET_ACTION_FULL) {
      case SECCOMP_RET_KILL_PROCESS: return {oci::SeccompAction::kKillProcess, 0};
      case SECCOMP_RET_KILL_THREAD: return {oci::SeccompAction::kKillThread, 0};
      case SECCOMP_RET_TRAP: return {oci::SeccompAction::kTrap, 0};
      case SECCOMP_RET_ERRNO: return {oci::SeccompAction::kErrno, data};
      case SECCOMP_RET_USER_NOTIF: return {oci::SeccompAction::kNotify, 0};
      case SECCOMP_RET_TRACE: return {oci::SeccompAction::kTrace, data};
      case SECCOMP_RET_LOG: return {oci::SeccompAction::kLog, 0};
      case SECCOMP_RET_ALLOW: return {oci::SeccompAction::kAllow, 0};
      default: throw std::runtime_error("unknown answer");
    }
  }

 private:
  static testing::SeccompEvaluator compiled(const oci::Seccomp& seccomp) {
    auto evaluator = testing::SeccompEvaluator::compile(seccomp);
    if (!evaluator) throw std::runtime_error(evaluator.error().message);
    return std::move(*evaluator);
  }
  testing::SeccompEvaluator evaluator_;
};

}  // namespace ward::filter
