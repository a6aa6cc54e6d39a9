// SPDX-License-Identifier: Apache-2.0
// Filters and documents that a tenant wrote in order to cost, or to answer, what no real one does.
// Each of the costly ones took seconds or never came back before its kind was bounded; the bounds
// here have room for a slow machine and a sanitizer.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <utility>

#include "lib/oci/argument_space.h"
#include "lib/oci/bundle.h"
#include "lib/oci/seccomp_intersect.h"
#include "tests/unit/oci/loaded_filter.h"

namespace ward::oci {
namespace {

constexpr double kEnough_s = 8;

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

CallTable everything_allowed() {
  std::vector<CallRule> rules;
  for (const auto& [name, nr] : known_syscalls()) {
    rules.push_back({static_cast<std::uint32_t>(nr), kLayerServing, {}});
  }
  return {std::move(rules), {}};
}

SeccompArg on(std::size_t index, std::uint64_t value, CompareOp op = CompareOp::kEq) {
  return {static_cast<std::uint32_t>(index % 6), value, 0, op};
}

TEST(Partition, H03_StopsAtOnceWhenItsBudgetIsSpent) {
  std::vector<Conjunction> hard;
  for (std::size_t i = 0; i < 300; ++i) hard.push_back({on(i, i * 7919, CompareOp::kNe), on(i + 1, i)});
  int asked = 0;
  const auto label = [](const std::vector<bool>& held) {
    const bool any = std::find(held.begin(), held.end(), true) != held.end();
    return Answer{any ? SeccompAction::kAllow : SeccompAction::kErrno, 0};
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

// The tree keeps the order of an object's members, and compares each new one with all before it.
std::string object_of(std::size_t members, const std::string& prefix) {
  std::string json = "{";
  for (std::size_t i = 0; i < members; ++i) {
    json += (i == 0 ? "\"" : ",\"") + prefix + std::to_string(1'000'000 + i) + "\":\"[{:\"";
  }
  return json + "}";
}

TEST(Config, H03_ManyAnnotationsCostBoundedWork) {
  const double before = processor_seconds();
  auto config = Config::parse(R"({"annotations":)" + object_of(9'000, "run.oci.") + "}");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->annotations().size(), 9'000U);
  config->remove_annotations_with_prefix("run.oci.1000");
  EXPECT_EQ(config->annotations().size(), 8'000U);
  const auto refused = Config::parse(R"({"annotations":)" + object_of(40'000, "a") + "}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_LT(processor_seconds() - before, kEnough_s);
}

std::string list_of(std::size_t count, const std::string& element) {
  std::string json = "[" + element;
  for (std::size_t i = 1; i < count; ++i) json += "," + element;
  return json + "]";
}

TEST(Config, H03_MoreValuesOrCapabilitiesThanAnyDocumentHasAreRefused) {
  for (const char* element : {"1", "{}", "[]", "\",,,,\""}) {
    const bool text = element[0] == '"';
    const auto large = Config::parse(R"({"x":)" + list_of(100'000, element) + "}");
    EXPECT_TRUE(large) << element << ": " << large.error().message;
    const auto refused = Config::parse(R"({"x":)" + list_of(text ? 560'000 : 600'000, element) + "}");
    ASSERT_FALSE(refused) << element;
    EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  }
  const auto with_sets_of = [](std::size_t count) {
    return R"({"process":{"capabilities":{"bounding":)" + list_of(count, "\"CAP_KILL\"") + "}}}";
  };
  EXPECT_TRUE(Config::parse(with_sets_of(200)));
  const auto refused = Config::parse(with_sets_of(2000));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("capabilities.bounding has 2000 names"), std::string::npos)
      << refused.error().message;
}

TEST(ProcessSpec, H03_AnExecDocumentOfManyMembersCostsBoundedWork) {
  const double before = processor_seconds();
  EXPECT_TRUE(ProcessSpec::parse(object_of(9'000, "key")));
  EXPECT_FALSE(ProcessSpec::parse(object_of(40'000, "key")));
  std::string several = R"({"list":[)";
  for (int i = 0; i < 6; ++i) several += object_of(5'000, "key") + ",";
  EXPECT_FALSE(ProcessSpec::parse(several + "0]}")) << "many objects add up";
  EXPECT_LT(processor_seconds() - before, kEnough_s);
}

// --- error numbers

constexpr std::uint32_t kNumbers[] = {0,     1,      38,     255,    512,        513,        530,        4094,
                                      4095,  4096,   5000,   65535,  65536,      65537,      65536 + 38, 65536 + 4095,
                                      70000, 131071, 131072, 131110, 0x7FFFFFFF, 0x80000000, 0x80000001, 4294967295};

Seccomp denying_mkdir(SeccompAction action, std::uint32_t number) {
  Seccomp seccomp;
  seccomp.rules = {{{"mkdir"}, action, number, {}}};
  return seccomp;
}

TEST(ErrorNumbers, H07_I12_AreLoadedOrRefusedAsLibseccompDoesIt) {
  for (const std::uint32_t number : kNumbers) {
    for (const SeccompAction action : {SeccompAction::kErrno, SeccompAction::kTrace}) {
      const Seccomp asked = denying_mkdir(action, number);
      const bool loads = testing::SeccompEvaluator::compile(asked).has_value();
      EXPECT_EQ(OwnFilter::make(asked).has_value(), loads) << number;
      if (!loads) continue;
      EXPECT_EQ(OwnFilter::make(asked)->verdict(SYS_mkdir, {}), LoadedFilter(asked).answer(SYS_mkdir, {})) << number;
    }
    Seccomp by_default;
    by_default.default_action = SeccompAction::kErrno;
    by_default.default_errno_ret = number;
    const bool loads = testing::SeccompEvaluator::compile(by_default).has_value();
    EXPECT_EQ(OwnFilter::make(by_default).has_value(), loads) << "default " << number;
    if (!loads) continue;
    EXPECT_EQ(OwnFilter::make(by_default)->verdict(SYS_mkdir, {}).errno_ret, number & 0xFFFFU);
  }
  Seccomp unknown = denying_mkdir(SeccompAction::kErrno, 4096);
  unknown.rules[0].names = {"no_such_call"};
  EXPECT_TRUE(OwnFilter::make(unknown)) << "the runtime passes over it";
}

TEST(ErrorNumbers, H07_WhatACallerIsToldIsAnErrorNumberOrZero) {
  for (const std::uint32_t number : kNumbers) {
    for (int action = 0; action <= static_cast<int>(SeccompAction::kNotify); ++action) {
      const auto own = OwnFilter::make(denying_mkdir(static_cast<SeccompAction>(action), number));
      if (!own) continue;  // no runtime loads it
      const int told = own->verdict(SYS_mkdir, {}).error_number();
      EXPECT_GE(told, 0) << number;
      EXPECT_LE(told, 4095) << number;
    }
    const int told = Answer{SeccompAction::kErrno, number}.error_number();
    EXPECT_EQ(told, static_cast<int>(std::min(number & 0xFFFFU, 4095U)));
  }
  EXPECT_EQ((Answer{SeccompAction::kTrace, 7}).error_number(), ENOSYS) << "no tracer, no call";
  EXPECT_EQ((Answer{SeccompAction::kTrap, 0}).error_number(), EPERM);
}

TEST(ComplementForm, H07_AnErrorNumberOfZeroIsPassedOnAsOne) {
  const OwnFilter own = OwnFilter::make(denying_mkdir(SeccompAction::kTrace, 65536)).value();
  const LoadedFilter filter(complement_form(everything_allowed(), own));
  EXPECT_EQ(filter.answer(SYS_mkdir, {}), (Answer{SeccompAction::kTrace, 0}));
}

}  // namespace
}  // namespace ward::oci
