// SPDX-License-Identifier: Apache-2.0
// What a container's own filter means: what the runtime loads of it, rule by rule.
#include "profiles/filter/own_filter.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "lib/oci/bundle.h"
#include "profiles/filter/seccomp_intersect.h"
#include "tests/unit/filter/loaded_filter.h"

namespace ward::filter {
namespace {

constexpr Answer kAllowed{oci::SeccompAction::kAllow, 0};
constexpr Answer kNotPermitted{oci::SeccompAction::kErrno, EPERM};
constexpr Answer kNoSuchCall{oci::SeccompAction::kErrno, ENOSYS};
constexpr std::uint64_t kNewNamespace = 0x10000000;

CallTable everything_allowed() {
  std::vector<CallRule> rules;
  for (const auto& [name, nr] : oci::known_syscalls()) {
    rules.push_back({static_cast<std::uint32_t>(nr), kLayerServing, {}});
  }
  return {std::move(rules), {}};
}

oci::Seccomp denying(std::vector<oci::SeccompRule> rules,
                     oci::SeccompAction action = oci::SeccompAction::kErrno) {
  oci::Seccomp seccomp;
  seccomp.default_action = action;
  if (action == oci::SeccompAction::kErrno) seccomp.default_errno_ret = EPERM;
  seccomp.architectures = {oci::native_scmp_arch()};
  seccomp.rules = std::move(rules);
  return seccomp;
}

oci::SeccompRule rule(std::string name, oci::SeccompAction action,
                      std::vector<oci::SeccompArg> args = {}) {
  return {{std::move(name)}, action, std::nullopt, std::move(args)};
}

// The filter asked for, in the words of the one that Ward puts in force.
struct Judged {
  OwnFilter own;
  LoadedFilter kernel;
  explicit Judged(const oci::Seccomp& asked)
      : own(OwnFilter::make(asked).value()), kernel(complement_form(everything_allowed(), own)) {}
  [[nodiscard]] Answer operator()(int nr, const CallArgs& args = {}) const {
    const Answer in_user_space = own.verdict(nr, args);
    EXPECT_EQ(kernel.answer(nr, args), in_user_space) << nr;
    return in_user_space;
  }
};

TEST(OwnFilter, F02_NumbersAboveTheHighestNamedAnswerEnosys) {
  std::vector<oci::SeccompRule> rules;
  for (int nr = 0; nr < 332; ++nr) {
    if (auto name = oci::find_syscall_name(nr))
      rules.push_back(rule(*name, oci::SeccompAction::kAllow));
  }
  for (const oci::SeccompAction action :
       {oci::SeccompAction::kErrno, oci::SeccompAction::kKillThread,
        oci::SeccompAction::kKillProcess, oci::SeccompAction::kTrap}) {
    const Judged judged(denying(rules, action));
    EXPECT_EQ(judged(SYS_faccessat2), kNoSuchCall);
    EXPECT_EQ(judged(SYS_rseq), kNoSuchCall);
    EXPECT_EQ(judged(2000), kNoSuchCall);
    EXPECT_EQ(judged(SYS_getpid), kAllowed);
  }
}

TEST(OwnFilter, F02_RulesThatAreNotLoadedNameNumbersAllTheSame) {
  const Judged judged(denying(
      {rule("getpid", oci::SeccompAction::kAllow), rule("openat2", oci::SeccompAction::kErrno)}));
  EXPECT_EQ(judged(SYS_openat2), kNotPermitted);
  EXPECT_EQ(judged(SYS_pidfd_open), kNotPermitted);
  EXPECT_EQ(judged(SYS_faccessat2), kNoSuchCall);
  const Judged permissive(
      denying({rule("getpid", oci::SeccompAction::kErrno)}, oci::SeccompAction::kAllow));
  EXPECT_EQ(permissive(SYS_faccessat2), kAllowed) << "no stub where the default allows";
}

TEST(OwnFilter, F02_WhetherThereIsAStubDependsOnTheRuntimeWhereTheNativeArchitectureIsNotListed) {
  oci::Seccomp asked =
      denying({rule("getpid", oci::SeccompAction::kAllow)}, oci::SeccompAction::kKillProcess);
  asked.architectures.clear();
  ASSERT_TRUE(depends_on_habits(asked));
  const auto newer = OwnFilter::make(asked, {.stub_where_unlisted = true}).value();
  const auto older = OwnFilter::make(asked, {.stub_where_unlisted = false}).value();
  EXPECT_EQ(newer.verdict(SYS_faccessat2, {}), kNoSuchCall);
  EXPECT_EQ(older.verdict(SYS_faccessat2, {}).action, oci::SeccompAction::kKillProcess);
  EXPECT_EQ(older.verdict(2000, {}).action, oci::SeccompAction::kKillProcess);
  for (const OwnFilter& own : {newer, older}) {
    EXPECT_TRUE(complement_form(everything_allowed(), own).architectures.empty())
        << "so that the runtime does the same";
  }
  EXPECT_FALSE(depends_on_habits(denying({})));
}

TEST(OwnFilter, F02_TheHabitIsKnownFromTheRuntimesVersion) {
  EXPECT_FALSE(
      habits_of_version("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1\n").stub_where_unlisted);
  EXPECT_FALSE(habits_of_version("runc version 1.0.0-rc93\n").stub_where_unlisted);
  EXPECT_FALSE(habits_of_version("A Container Runtime version 1.13\n\nrunc version 1.1.14")
                   .stub_where_unlisted);
  EXPECT_TRUE(habits_of_version("runc version 1.1.15\n").stub_where_unlisted);
  EXPECT_TRUE(habits_of_version("runc version 1.2.0-rc.1\n").stub_where_unlisted);
  EXPECT_TRUE(habits_of_version("runc version 2").stub_where_unlisted);
  EXPECT_TRUE(habits_of_version("").stub_where_unlisted) << "what says nothing is a new one";
  EXPECT_TRUE(habits_of_version("crun version 0.17\n").stub_where_unlisted);
}

TEST(OwnFilter, F02_NumbersWithoutANameAnswerAsTheOwnFilterDoes) {
  int unnamed = 0;
  while (oci::find_syscall_name(unnamed)) ++unnamed;
  for (const oci::SeccompAction action :
       {oci::SeccompAction::kErrno, oci::SeccompAction::kKillProcess, oci::SeccompAction::kTrap}) {
    const Judged above(denying({rule("openat2", oci::SeccompAction::kAllow)}, action));
    EXPECT_EQ(above(unnamed).action, action) << "below the highest named: the default";
    EXPECT_EQ(above(900), kNoSuchCall);
    const Judged below(denying({rule("getpid", oci::SeccompAction::kAllow)}, action));
    EXPECT_EQ(below(unnamed), kNoSuchCall);
  }
}

// complement_form() has one answer for all of them: its default.
TEST(OwnFilter, F02_NumbersWithoutANameBelowTheHighestLieInOneGap) {
  int gaps = 0, highest = 0;
  for (const auto& [name, nr] : oci::known_syscalls()) highest = std::max(highest, nr);
  for (int nr = 1; nr < highest; ++nr)
    gaps += !oci::find_syscall_name(nr) && oci::find_syscall_name(nr - 1) ? 1 : 0;
  EXPECT_LE(gaps, 1);
}

TEST(OwnFilter, F03_ARuleOfTheDefaultsActionIsNotLoaded) {
  const oci::SeccompArg flag{0, kNewNamespace, 0, oci::CompareOp::kMaskedEq};
  const Judged judged(denying({rule("clone", oci::SeccompAction::kErrno, {flag}),
                               rule("clone", oci::SeccompAction::kAllow)}));
  EXPECT_EQ(judged(SYS_clone, {0x1200011}), kAllowed);
  EXPECT_EQ(judged(SYS_clone, {kNewNamespace}), kAllowed);
}

TEST(OwnFilter, F03_AnUnconditionalRuleAbsorbsConditionalOnesInEitherOrder) {
  const oci::SeccompRule conditional =
      rule("socket", oci::SeccompAction::kTrap, {{0, 40, 0, oci::CompareOp::kEq}});
  const oci::SeccompRule always = rule("socket", oci::SeccompAction::kAllow);
  for (const auto& rules : {std::vector{conditional, always}, std::vector{always, conditional}}) {
    const Judged judged(denying(rules));
    EXPECT_EQ(judged(SYS_socket, {40}), kAllowed);
    EXPECT_EQ(judged(SYS_socket, {2}), kAllowed);
  }
}

TEST(OwnFilter, F03_OfTwoUnconditionalRulesTheFirstWins) {
  oci::SeccompRule refused = rule("mkdir", oci::SeccompAction::kErrno);
  refused.errno_ret = EACCES;
  const oci::SeccompRule allowed = rule("mkdir", oci::SeccompAction::kAllow);
  EXPECT_EQ(Judged(denying({allowed, refused}))(SYS_mkdir), kAllowed);
  EXPECT_EQ(Judged(denying({refused, allowed}))(SYS_mkdir),
            (Answer{oci::SeccompAction::kErrno, EACCES}));
}

// More values than a filter of the kernel has room for, of three calls that are allowed by value,
// and one that kills.
TEST(OwnFilter, F04_SignalsStayInTheKernelWhenOtherCallsGiveWay) {
  // Above the numbers without a name: these answer as the default does.
  std::vector<oci::SeccompRule> rules = {rule("openat2", oci::SeccompAction::kAllow)};
  for (const char* name : {"ioctl", "fcntl", "setsockopt", "getsockopt", "prctl", "mmap"}) {
    for (std::uint64_t i = 0; i < 60; ++i) {
      rules.push_back(
          rule(name, oci::SeccompAction::kAllow, {{1, i * 0x1234567, 0, oci::CompareOp::kEq}}));
    }
  }
  for (std::uint64_t i = 0; i < 10; ++i) {
    rules.push_back(rule("socket", oci::SeccompAction::kKillProcess,
                         {{0, 50 + i * 3, 0, oci::CompareOp::kEq}}));
  }
  const auto own = OwnFilter::make(denying(rules)).value();
  const LoadedFilter kernel(complement_form(everything_allowed(), own));
  EXPECT_EQ(kernel.answer(SYS_socket, {53}).action, oci::SeccompAction::kKillProcess);
  EXPECT_EQ(kernel.answer(SYS_socket, {54}), kNotPermitted);
  int notified = 0;
  for (const int nr : {SYS_ioctl, SYS_fcntl, SYS_setsockopt, SYS_getsockopt, SYS_prctl, SYS_mmap}) {
    const Answer answer = kernel.answer(nr, {0, 0x1234567});
    notified += answer.action == oci::SeccompAction::kNotify ? 1 : 0;
    EXPECT_TRUE(answer == kAllowed || answer.action == oci::SeccompAction::kNotify) << nr;
    EXPECT_EQ(own.verdict(nr, {0, 0x1234567}), kAllowed);
  }
  EXPECT_GT(notified, 0);
}

TEST(OwnFilter, F04_WhatIsBesideASignalIsNotifiedBeforeTheSignalIs) {
  std::vector<oci::SeccompRule> rules;
  for (std::uint64_t i = 0; i < 200; ++i) {
    rules.push_back(
        rule("ioctl", oci::SeccompAction::kAllow, {{1, i * 0x1234567, 0, oci::CompareOp::kEq}}));
  }
  rules.push_back(
      rule("ioctl", oci::SeccompAction::kKillProcess, {{1, 7, 0, oci::CompareOp::kEq}}));
  const auto own = OwnFilter::make(denying(rules)).value();
  const LoadedFilter kernel(complement_form(everything_allowed(), own));
  EXPECT_EQ(kernel.answer(SYS_ioctl, {0, 7}).action, oci::SeccompAction::kKillProcess);
  EXPECT_EQ(kernel.answer(SYS_ioctl, {0, 0x1234567}).action, oci::SeccompAction::kNotify);
  EXPECT_EQ(own.verdict(SYS_ioctl, {0, 0x1234567}), kAllowed);
}

TEST(OwnFilter, F04_AnUnknownNumberIsKilledWhereTheOwnFilterKillsIt) {
  int unnamed = 0;
  while (oci::find_syscall_name(unnamed)) ++unnamed;
  const Judged judged(
      denying({rule("openat2", oci::SeccompAction::kAllow)}, oci::SeccompAction::kKillProcess));
  EXPECT_EQ(judged(unnamed).action, oci::SeccompAction::kKillProcess);
  EXPECT_EQ(judged(SYS_mkdir).action, oci::SeccompAction::kKillProcess);
}

TEST(OwnFilter, F05_AnEmptyNameIsRefusedAsTheRuntimeRefusesIt) {
  const auto own = OwnFilter::make(denying({rule("", oci::SeccompAction::kAllow)}));
  ASSERT_FALSE(own);
  EXPECT_NE(own.error().message.find("syscalls[0]"), std::string::npos) << own.error().message;
  EXPECT_TRUE(OwnFilter::make(denying({rule("no_such_call", oci::SeccompAction::kAllow)})))
      << "passed over";
}

TEST(OwnFilter, F05_WhatOnlyTheRuntimeCanRefuseIsCarriedToIt) {
  oci::Seccomp asked = denying({rule("getpid", oci::SeccompAction::kAllow)});
  asked.architectures = {"SCMP_ARCH_X86",
                         oci::native_scmp_arch(),
                         "SCMP_ARCH_AARCH64",
                         "SCMP_ARCH_RISCV64",
                         "SCMP_ARCH_NONE",
                         "scmp_arch_arm",
                         ""};
  asked.flags = std::vector<std::string>{"SECCOMP_FILTER_FLAG_LOG", "no flag at all"};
  const auto own = OwnFilter::make(asked);
  ASSERT_TRUE(own) << own.error().message;
  const oci::Seccomp made = complement_form(everything_allowed(), *own);
  EXPECT_EQ(made.architectures,
            (std::vector<std::string>{oci::native_scmp_arch(), "SCMP_ARCH_RISCV64",
                                      "SCMP_ARCH_NONE", "scmp_arch_arm", ""}))
      << "no foreign one whose programs run here";
  EXPECT_EQ(made.flags, asked.flags);
}

TEST(OwnFilter, F05_NoFlagsAreNotTheSameAsAnEmptyListOfThem) {
  oci::Seccomp asked = denying({rule("getpid", oci::SeccompAction::kAllow)});
  EXPECT_FALSE(complement_form(everything_allowed(), OwnFilter::make(asked).value()).flags);
  asked.flags.emplace();
  const oci::Seccomp made = complement_form(everything_allowed(), OwnFilter::make(asked).value());
  EXPECT_EQ(made.flags, asked.flags);
  EXPECT_NE(oci::seccomp_to_json(made).find("\"flags\": []"), std::string::npos);
}

TEST(OwnFilter, F05_AnArchitectureThatFitsIntoNoFilterOfThisMachineIsRefused) {
  oci::Seccomp asked = denying({rule("getpid", oci::SeccompAction::kAllow)});
  asked.architectures = {oci::native_scmp_arch(), "SCMP_ARCH_S390X"};
  const auto own = OwnFilter::make(asked);
  ASSERT_FALSE(own);
  EXPECT_NE(own.error().message.find("SCMP_ARCH_S390X"), std::string::npos) << own.error().message;
}

}  // namespace
}  // namespace ward::filter
