// SPDX-License-Identifier: Apache-2.0
// A filter that is used without the shim, and what it lets the runtime do.
#include "profiles/runtime_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "profiles/compile.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::profiles {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ward::testing::SeccompEvaluator;

constexpr std::uint64_t kNewUserNamespace = 0x10000000, kThread = 0x10000;

Profile small() {
  Profile profile;
  profile.name = "small";
  profile.architectures = {"x86_64"};
  profile.syscalls[Layer::kServing]["pause"] = {"pause", {}};
  return profile;
}

SeccompEvaluator filter_of(const Profile& profile, const std::set<std::string>& measured) {
  const auto filter = compile_to_oci(profile, Supervision::kUnsupervised, runtime_calls(measured));
  EXPECT_TRUE(filter) << filter.error().message;
  auto evaluator = SeccompEvaluator::compile(*filter);
  EXPECT_TRUE(evaluator) << evaluator.error().message;
  return *evaluator;
}

TEST(RuntimeCalls, WhatWasMeasuredIsAllowedAndWithoutTheShimRunsForEver) {
  const std::uint32_t refused = SECCOMP_RET_ERRNO | EPERM;
  EXPECT_EQ(filter_of(small(), {}).evaluate(SYS_pidfd_open, {}), refused);
  EXPECT_EQ(filter_of(small(), {"pidfd_open"}).evaluate(SYS_pidfd_open, {}), SECCOMP_RET_ALLOW);
}

TEST(RuntimeCalls, TheListStandsAlsoWhereOneMeasurementLacksACall) {
  for (const std::set<std::string>& measured : {std::set<std::string>{}, {"execve", "write"}}) {
    const SeccompEvaluator filter = filter_of(small(), measured);
    for (const int nr : {SYS_execve, SYS_openat, SYS_openat2, SYS_capset, SYS_prctl, SYS_futex})
      EXPECT_EQ(filter.evaluate(nr, {}), SECCOMP_RET_ALLOW) << nr;
  }
}

TEST(RuntimeCalls, MeasuringAllowsNothingOfTheDangerSet) {
  const RuntimeCalls calls = runtime_calls({"fsopen", "socket", "mount", "uname"});
  EXPECT_THAT(calls.left_out, ElementsAre("fsopen", "mount", "socket"));
  EXPECT_THAT(calls.allowed, Contains("uname"));
  EXPECT_THAT(calls.allowed, Not(Contains("fsopen")));
  const SeccompEvaluator filter = filter_of(small(), {"fsopen", "socket", "mount"});
  for (const int nr : {SYS_fsopen, SYS_socket, SYS_mount})
    EXPECT_EQ(filter.evaluate(nr, {38}), SECCOMP_RET_ERRNO | EPERM) << nr;
}

TEST(RuntimeCalls, AThreadOfTheRuntimeOpensNoNamespace) {
  const SeccompEvaluator filter = filter_of(small(), {"clone"});
  EXPECT_EQ(filter.evaluate(SYS_clone, {kThread}), SECCOMP_RET_ALLOW);
  EXPECT_NE(filter.evaluate(SYS_clone, {kNewUserNamespace}), SECCOMP_RET_ALLOW);
  Profile forking = small();
  forking.syscalls[Layer::kServing]["clone"] = {"clone", {}};
  EXPECT_NE(filter_of(forking, {"clone"}).evaluate(SYS_clone, {kNewUserNamespace}),
            SECCOMP_RET_ALLOW);
}

TEST(RuntimeCalls, WhatEveryProfileAnswersEnosysIsAnsweredSoToTheRuntime) {
  EXPECT_EQ(filter_of(small(), {"clone3"}).evaluate(SYS_clone3, {}), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(RuntimeCalls, CallsOfTheSchedulerSayNothingOfAVersion) {
  EXPECT_TRUE(is_of_scheduler("futex"));
  EXPECT_TRUE(is_of_scheduler("rt_sigreturn"));
  EXPECT_FALSE(is_of_scheduler("openat2"));
  EXPECT_THAT(runtime_calls({"futex", "rt_sigreturn"}).left_out, IsEmpty());
}

}  // namespace
}  // namespace ward::profiles
