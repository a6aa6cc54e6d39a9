// SPDX-License-Identifier: Apache-2.0
// Semantics over text: a profile is compiled, and the table and the filter are asked what they
// answer.
#include "profiles/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "profiles/baselines/baselines.h"
#include "profiles/effective.h"
#include "profiles/filter/seccomp_intersect.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::profiles {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ward::testing::SeccompEvaluator;

constexpr std::uint64_t kUnix = 1, kInet = 2, kNetlink = 16, kAlg = 38;

Profile web() {
  Profile profile;
  profile.name = "web";
  profile.architectures = {"x86_64"};
  profile.syscalls[Layer::kServing]["accept4"] = {"accept4", {}};
  profile.syscalls[Layer::kServing]["clone"] = {"clone", {}};
  profile.syscalls[Layer::kServing]["socket"] = {"socket",
                                                 {{0, {}, {kUnix, kInet}}, {1, 0xF, {1, 2}}}};
  profile.syscalls[Layer::kBoot]["bind"] = {"bind", {}};
  profile.syscalls[Layer::kBoot]["accept4"] = {"accept4", {}};
  profile.syscalls[Layer::kExec]["getpgrp"] = {"getpgrp", {}};
  return profile;
}

std::vector<node::v1::SyscallRule> rules_of(const node::v1::CompiledProfile& compiled,
                                            std::uint32_t nr) {
  std::vector<node::v1::SyscallRule> found;
  for (const auto& rule : compiled.syscalls()) {
    if (rule.nr() == nr) found.push_back(rule);
  }
  return found;
}

SeccompEvaluator filter_of(const Profile& profile, Supervision supervision) {
  const auto seccomp = compile_to_oci(profile, supervision);
  EXPECT_TRUE(seccomp) << seccomp.error().message;
  auto evaluator = SeccompEvaluator::compile(*seccomp);
  EXPECT_TRUE(evaluator) << evaluator.error().message;
  return *evaluator;
}

TEST(Compile, LayersBecomeTheBitsOfWhoMayCall) {
  const auto compiled = compile(web());
  ASSERT_TRUE(compiled);
  ASSERT_EQ(rules_of(*compiled, SYS_accept4).size(),
            1U);  // what serving allows needs no rule of boot
  EXPECT_EQ(rules_of(*compiled, SYS_accept4)[0].layers(), 0b1110U);
  EXPECT_EQ(rules_of(*compiled, SYS_bind).at(0).layers(), 0b1010U);
  EXPECT_EQ(rules_of(*compiled, SYS_getpgrp).at(0).layers(), 0b1000U);
  EXPECT_TRUE(rules_of(*compiled, SYS_mount).empty());
  EXPECT_EQ(rules_of(*compiled, SYS_socket).at(0).alternatives_size(), 4);
}

TEST(Compile, ACallWithOtherArgumentsInAnotherLayerHasARuleOfItsOwn) {
  Profile profile = web();
  profile.syscalls[Layer::kExec]["socket"] = {"socket", {{0, {}, {10}}}};
  const auto rules = rules_of(*compile(profile), SYS_socket);
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[1].layers(), 0b1000U);
  EXPECT_EQ(rules[1].alternatives(0).conditions(0).value(), 10U);
}

TEST(Compile, Clone3AnswersEnosysAndCloneHasNoNamespaces) {
  const auto compiled = compile(web());
  EXPECT_THAT(compiled->enosys(), Contains(SYS_clone3));
  EXPECT_TRUE(rules_of(*compiled, SYS_clone3).empty());
  const node::v1::ArgCondition condition =
      rules_of(*compiled, SYS_clone).at(0).alternatives(0).conditions(0);
  EXPECT_EQ(condition.op(), node::v1::ArgCondition::MASKED_EQ);
  EXPECT_EQ(condition.value(), 0x7E020000U);
  EXPECT_EQ(condition.value_two(), 0U);
}

TEST(Compile, ASignatureForOneNamespaceDoesNotOpenTheOthers) {
  Profile profile = web();
  profile.syscalls[Layer::kServing]["clone"] = {"clone",
                                                {{0, 0x7E020000, {0, 0x10000000, 0x40000000}}}};
  profile.accept = {{"clone", "a sandbox of its own", {{0, 0x7E020000, {0x10000000}}}}};
  EXPECT_THAT(compile(profile).error().message,
              HasSubstr("clone with CLONE_NEWNET is in the danger set"));
  profile.accept[0].args.clear();
  profile.accept[0].args = {{0, 0x7E020000, {0x10000000, 0x40000000}}};
  ASSERT_TRUE(compile(profile));
  profile.syscalls[Layer::kServing]["clone"].args.clear();  // signed for, but not listed
  EXPECT_EQ(rules_of(*compile(profile), SYS_clone).at(0).alternatives(0).conditions(0).value_two(),
            0U);
}

TEST(Compile, TheDangerSetIsNamedByNumberAndByValue) {
  const auto compiled = compile(web());
  for (const std::uint32_t nr : std::initializer_list<std::uint32_t>{
           SYS_mount, SYS_unshare, SYS_bpf, SYS_io_uring_setup, SYS_ptrace}) {
    EXPECT_THAT(compiled->danger(), Contains(nr));
  }
  EXPECT_TRUE(std::is_sorted(compiled->danger().begin(), compiled->danger().end()));
  bool alg = false;
  for (const auto& rule : compiled->danger_values()) {
    alg =
        alg || (rule.nr() == SYS_socket && rule.alternatives(0).conditions(0).value_two() == kAlg);
  }
  EXPECT_TRUE(alg);
}

TEST(Compile, I9_AProfileThatIsNotValidIsNeverCompiled) {
  Profile profile = web();
  profile.syscalls[Layer::kServing]["unshare"] = {"unshare", {}};
  EXPECT_FALSE(compile(profile));
  EXPECT_FALSE(compile_to_oci(profile, Supervision::kSupervised));
}

TEST(CompileToOci, I3_NothingTheProfileDoesNotAllowEverRuns) {
  Profile profile = web();
  profile.syscalls.erase(Layer::kBoot);
  profile.syscalls.erase(Layer::kExec);
  const SeccompEvaluator supervised = filter_of(profile, Supervision::kSupervised);
  const SyscallSet allowed = effective_layer(profile, Layer::kServing);
  for (int nr = 0; nr < 600; ++nr) {
    const auto name = oci::find_syscall_name(nr);
    const std::uint32_t answer = supervised.evaluate(nr, {0xFFFF, 0xFFFF, 0, 0, 0, 0});
    if (name && allowed.contains(*name) && allowed.at(*name).args.empty()) {
      EXPECT_EQ(answer, SECCOMP_RET_ALLOW) << *name;
    } else if (name == "clone") {
      EXPECT_EQ(answer, SECCOMP_RET_ALLOW);  // 0xFFFF has no namespace flag
    } else {
      EXPECT_NE(answer, SECCOMP_RET_ALLOW) << nr;
      const bool seen = name && *name != "clone3";
      EXPECT_EQ(answer, seen ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | ENOSYS) << nr;
    }
  }
}

TEST(CompileToOci, ArgumentsAreFilteredAndOtherValuesAreSeen) {
  const SeccompEvaluator filter = filter_of(web(), Supervision::kSupervised);
  constexpr std::uint64_t kStreamCloexec = 1 | 0x80000;
  EXPECT_EQ(filter.evaluate(SYS_socket, {kInet, kStreamCloexec}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(filter.evaluate(SYS_socket, {kAlg, kStreamCloexec}), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(filter.evaluate(SYS_socket, {kNetlink, 3}), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(filter.evaluate(SYS_socket, {kInet, 3}), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(filter.evaluate(SYS_socket, {kInet | 0x100000000, kStreamCloexec}),
            SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(filter.evaluate(SYS_clone, {0x1200011}), SECCOMP_RET_ALLOW);
  for (std::uint64_t flag = 0x20000; flag <= 0x40000000; flag <<= 1U) {
    if ((0x7E020000 & flag) != 0) {
      EXPECT_EQ(filter.evaluate(SYS_clone, {flag | 17}), SECCOMP_RET_USER_NOTIF);
    }
  }
  EXPECT_EQ(filter.evaluate(SYS_clone3), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(CompileToOci, TheUsualSocketsOfAServerCostNoNotification) {
  Profile profile = web();
  profile.syscalls[Layer::kServing]["socket"] = {"socket", {{0, {}, {1, 2, 10}}, {1, 0xF, {1, 2}}}};
  EXPECT_EQ(filter_of(profile, Supervision::kSupervised).evaluate(SYS_socket, {10, 1}),
            SECCOMP_RET_ALLOW);
}

TEST(CompileToOci, WhatIsDecidedByPhaseIsNotifiedAndAllowedOnlyWithoutASupervisor) {
  EXPECT_EQ(filter_of(web(), Supervision::kSupervised).evaluate(SYS_bind), SECCOMP_RET_USER_NOTIF);
  const SeccompEvaluator alone = filter_of(web(), Supervision::kUnsupervised);
  EXPECT_EQ(alone.evaluate(SYS_bind), SECCOMP_RET_ALLOW);
  EXPECT_EQ(alone.evaluate(SYS_getpgrp), SECCOMP_RET_ALLOW);
  EXPECT_EQ(alone.evaluate(SYS_execve), SECCOMP_RET_ALLOW);  // the runtime's own
  EXPECT_EQ(alone.evaluate(SYS_mount), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(alone.evaluate(SYS_socket, {kAlg, 1}), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(alone.evaluate(SYS_socket, {kUnix, 2}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(alone.evaluate(SYS_clone3), SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(alone.evaluate(SYS_clone, {0x10000000}), SECCOMP_RET_ERRNO | EPERM);
}

TEST(CompileToOci, ForeignAbisAreKilled) {
  for (const Supervision supervision : {Supervision::kSupervised, Supervision::kUnsupervised}) {
    const SeccompEvaluator filter = filter_of(web(), supervision);
    EXPECT_EQ(filter.evaluate(4, {}, AUDIT_ARCH_I386), SECCOMP_RET_KILL_THREAD);
  }
}

TEST(CompileToOci, TheFallbackForMissingProfilesLoads) {
  const SeccompEvaluator filter = filter_of(baseline_profile(), Supervision::kSupervised);
  EXPECT_EQ(filter.evaluate(SYS_bind), SECCOMP_RET_ALLOW);
  EXPECT_EQ(filter.evaluate(SYS_unshare), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(filter.evaluate(SYS_socket, {kAlg, 1}), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(filter.evaluate(SYS_socket, {kNetlink, 3}), SECCOMP_RET_USER_NOTIF);
}

TEST(CompileToOci, F06_WhatTheProfileDoesNotKnowIsEnosysAndWhatItLeavesOutIsNot) {
  Profile profile = web();
  profile.knows = NewestKnown{447, "memfd_secret"};
  constexpr int kMemfdSecret = 447, kHomeNode = 450;
  EXPECT_EQ(compile(profile)->knows_up_to(), 447U);
  const SeccompEvaluator alone = filter_of(profile, Supervision::kUnsupervised);
  EXPECT_EQ(alone.evaluate(kHomeNode), SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(alone.evaluate(kMemfdSecret), SECCOMP_RET_ERRNO | EPERM);
  const SeccompEvaluator supervised = filter_of(profile, Supervision::kSupervised);
  EXPECT_EQ(supervised.evaluate(kHomeNode), SECCOMP_RET_USER_NOTIF) << "and recorded";
}

}  // namespace
}  // namespace ward::profiles
