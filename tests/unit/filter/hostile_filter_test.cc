// SPDX-License-Identifier: Apache-2.0
// Filters and documents that a tenant wrote in order to cost, or to answer, what no real one does.
// Each of the costly ones took seconds or never came back before its kind was bounded; the bounds
// here have room for a slow machine and a sanitizer.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "profiles/filter/argument_space.h"
#include "profiles/filter/seccomp_intersect.h"
#include "tests/unit/filter/loaded_filter.h"

namespace ward::filter {
namespace {

CallTable everything_allowed() {
  std::vector<CallRule> rules;
  for (const auto& [name, nr] : oci::known_syscalls()) {
    rules.push_back({static_cast<std::uint32_t>(nr), kLayerServing, {}});
  }
  return {std::move(rules), {}};
}

oci::SeccompArg on(std::size_t index, std::uint64_t value,
                   oci::CompareOp op = oci::CompareOp::kEq) {
  return {static_cast<std::uint32_t>(index % 6), value, 0, op};
}

TEST(Partition, H03_StopsAtOnceWhenItsBudgetIsSpent) {
  std::vector<Conjunction> hard;
  for (std::size_t i = 0; i < 300; ++i)
    hard.push_back({on(i, i * 7919, oci::CompareOp::kNe), on(i + 1, i)});
  int asked = 0;
  const auto label = [](const std::vector<bool>& held) {
    const bool any = std::find(held.begin(), held.end(), true) != held.end();
    return Answer{any ? oci::SeccompAction::kAllow : oci::SeccompAction::kErrno, 0};
  };
  const auto settled = [&](const std::vector<bool>&) -> std::optional<Answer> {
    ++asked;
    return std::nullopt;
  };
  WorkBudget budget(100'000);
  EXPECT_FALSE(partition(hard, label, settled, 1'000'000, budget));
  EXPECT_TRUE(budget.exhausted());
  EXPECT_LE(asked, 100'000 / 300) << "each question looks at every condition";
}

// --- error numbers

constexpr std::uint32_t kNumbers[] = {
    0,     1,      38,     255,    512,        513,        530,        4094,
    4095,  4096,   5000,   65535,  65536,      65537,      65536 + 38, 65536 + 4095,
    70000, 131071, 131072, 131110, 0x7FFFFFFF, 0x80000000, 0x80000001, 4294967295};

oci::Seccomp denying_mkdir(oci::SeccompAction action, std::uint32_t number) {
  oci::Seccomp seccomp;
  seccomp.rules = {{{"mkdir"}, action, number, {}}};
  return seccomp;
}

TEST(ErrorNumbers, H07_I12_AreLoadedOrRefusedAsLibseccompDoesIt) {
  for (const std::uint32_t number : kNumbers) {
    for (const oci::SeccompAction action :
         {oci::SeccompAction::kErrno, oci::SeccompAction::kTrace}) {
      const oci::Seccomp asked = denying_mkdir(action, number);
      const bool loads = testing::SeccompEvaluator::compile(asked).has_value();
      EXPECT_EQ(OwnFilter::make(asked).has_value(), loads) << number;
      if (!loads) continue;
      EXPECT_EQ(OwnFilter::make(asked)->verdict(SYS_mkdir, {}),
                LoadedFilter(asked).answer(SYS_mkdir, {}))
          << number;
    }
    oci::Seccomp by_default;
    by_default.default_action = oci::SeccompAction::kErrno;
    by_default.default_errno_ret = number;
    const bool loads = testing::SeccompEvaluator::compile(by_default).has_value();
    EXPECT_EQ(OwnFilter::make(by_default).has_value(), loads) << "default " << number;
    if (!loads) continue;
    EXPECT_EQ(OwnFilter::make(by_default)->verdict(SYS_mkdir, {}).errno_ret, number & 0xFFFFU);
  }
  oci::Seccomp unknown = denying_mkdir(oci::SeccompAction::kErrno, 4096);
  unknown.rules[0].names = {"no_such_call"};
  EXPECT_TRUE(OwnFilter::make(unknown)) << "the runtime passes over it";
}

TEST(ErrorNumbers, H07_WhatACallerIsToldIsAnErrorNumberOrZero) {
  for (const std::uint32_t number : kNumbers) {
    for (int action = 0; action <= static_cast<int>(oci::SeccompAction::kNotify); ++action) {
      const auto own =
          OwnFilter::make(denying_mkdir(static_cast<oci::SeccompAction>(action), number));
      if (!own) continue;  // no runtime loads it
      const int told = own->verdict(SYS_mkdir, {}).error_number();
      EXPECT_GE(told, 0) << number;
      EXPECT_LE(told, 4095) << number;
    }
    const int told = Answer{oci::SeccompAction::kErrno, number}.error_number();
    EXPECT_EQ(told, static_cast<int>(std::min(number & 0xFFFFU, 4095U)));
  }
  EXPECT_EQ((Answer{oci::SeccompAction::kTrace, 7}).error_number(), ENOSYS) << "no tracer, no call";
  EXPECT_EQ((Answer{oci::SeccompAction::kTrap, 0}).error_number(), EPERM);
}

TEST(ComplementForm, H07_AnErrorNumberOfZeroIsPassedOnAsOne) {
  const OwnFilter own = OwnFilter::make(denying_mkdir(oci::SeccompAction::kTrace, 65536)).value();
  const LoadedFilter filter(complement_form(everything_allowed(), own));
  EXPECT_EQ(filter.answer(SYS_mkdir, {}), (Answer{oci::SeccompAction::kTrace, 0}));
}

}  // namespace
}  // namespace ward::filter
