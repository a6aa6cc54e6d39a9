// SPDX-License-Identifier: Apache-2.0
// The oracle is checked against what the kernel and runc are known to do.
#include "tests/support/seccomp_evaluator.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

namespace ward::testing {
namespace {

oci::Seccomp denying(std::uint32_t error, std::vector<oci::SeccompRule> rules) {
  oci::Seccomp seccomp;
  seccomp.default_action = oci::SeccompAction::kErrno;
  seccomp.default_errno_ret = error;
  seccomp.architectures = {"SCMP_ARCH_X86_64"};
  seccomp.rules = std::move(rules);
  return seccomp;
}

oci::SeccompRule rule(std::vector<std::string> names, oci::SeccompAction action,
                      std::vector<oci::SeccompArg> args = {}) {
  return {std::move(names), action, std::nullopt, std::move(args)};
}

std::uint32_t ask(const oci::Seccomp& seccomp, int nr, std::array<std::uint64_t, 6> args = {}) {
  return evaluate(seccomp, nr, args, AUDIT_ARCH_X86_64);
}

TEST(SeccompEvaluator, AnswersTheRuleElseTheDefault) {
  const auto filter = denying(EACCES, {rule({"read", "write"}, oci::SeccompAction::kAllow),
                                       rule({"unshare"}, oci::SeccompAction::kNotify)});
  EXPECT_EQ(ask(filter, SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, SYS_unshare), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(ask(filter, SYS_open), SECCOMP_RET_ERRNO | EACCES);
}

TEST(SeccompEvaluator, ComparesAll64Bits) {
  const auto filter = denying(
      EPERM, {rule({"socket"}, oci::SeccompAction::kAllow, {{0, 2, 0, oci::CompareOp::kEq}})});
  EXPECT_EQ(ask(filter, SYS_socket, {2}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, SYS_socket, {0x100000002}), SECCOMP_RET_ERRNO | EPERM);
}

TEST(SeccompEvaluator, TwoConditionsOnOneIndexAreOredAsRuncDoes) {
  const auto filter =
      denying(EPERM, {rule({"socket"}, oci::SeccompAction::kAllow,
                           {{0, 16, 0, oci::CompareOp::kNe}, {0, 38, 0, oci::CompareOp::kNe}})});
  EXPECT_EQ(ask(filter, SYS_socket, {16}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, SYS_socket, {38}), SECCOMP_RET_ALLOW);
}

TEST(SeccompEvaluator, ConditionsOnTwoIndexesMustBothHold) {
  const auto filter = denying(
      EPERM, {rule({"socket"}, oci::SeccompAction::kAllow,
                   {{0, 2, 0, oci::CompareOp::kEq}, {1, 0xF, 1, oci::CompareOp::kMaskedEq}})});
  EXPECT_EQ(ask(filter, SYS_socket, {2, 0x80801}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, SYS_socket, {2, 3}), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(ask(filter, SYS_socket, {1, 1}), SECCOMP_RET_ERRNO | EPERM);
}

TEST(SeccompEvaluator, NumbersAboveTheHighestNamedAnswerEnosys) {
  const auto filter = denying(EPERM, {rule({"openat2"}, oci::SeccompAction::kAllow)});
  EXPECT_EQ(ask(filter, SYS_openat2 + 1), SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(ask(filter, SYS_openat2 - 1), SECCOMP_RET_ERRNO | EPERM);
}

TEST(SeccompEvaluator, AForeignAbiIsKilled) {
  const auto filter = denying(EPERM, {rule({"read"}, oci::SeccompAction::kAllow)});
  EXPECT_EQ(evaluate(filter, 3, {}, AUDIT_ARCH_I386), SECCOMP_RET_KILL_THREAD);
  EXPECT_EQ(ask(filter, 0x40000000 | SYS_read), SECCOMP_RET_KILL_THREAD);
}

TEST(SeccompEvaluator, RefusesWhatRuncRefuses) {
  oci::Seccomp filter = denying(EPERM, {});
  filter.default_action = oci::SeccompAction::kNotify;
  EXPECT_FALSE(SeccompEvaluator::compile(filter));
  EXPECT_FALSE(
      SeccompEvaluator::compile(denying(EPERM, {rule({"write"}, oci::SeccompAction::kNotify)})));
}

}  // namespace
}  // namespace ward::testing
