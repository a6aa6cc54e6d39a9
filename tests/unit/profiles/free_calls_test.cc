// SPDX-License-Identifier: Apache-2.0
// Which calls a posture lets run without anybody being asked, and the profile does not list: held
// against the compiled tables, which decide what is in the filter.
#include "profiles/free_calls.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <random>

#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/harm/harm_table.h"

namespace ward::profiles {
namespace {

using filter::Phase;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;

Profile web(Posture posture) {
  Profile profile;
  profile.name = "web";
  profile.architectures = {"x86_64"};
  profile.posture = posture;
  profile.syscalls[Layer::kServing]["pread64"] = {"pread64", {}};
  profile.syscalls[Layer::kBoot]["getitimer"] = {"getitimer", {}};
  profile.syscalls[Layer::kExec]["getrusage"] = {"getrusage", {}};
  profile.syscalls[Layer::kServing]["fcntl"] = {"fcntl", {{1, {}, {F_GETFD}}}};
  return profile;
}

FreeCalls free_of(Posture posture) { return FreeCalls::of(web(posture)).value(); }

TEST(FreeCalls, AStrictProfileHasNone) {
  EXPECT_TRUE(free_of(Posture::kStrict).empty());
  EXPECT_THAT(free_of(Posture::kStrict).numbers(Phase::kServing), IsEmpty());
}

TEST(FreeCalls, WhatIsListedIsNotFreeWhereItIsListed) {
  const FreeCalls free = free_of(Posture::kBalanced);
  for (const Phase phase : {Phase::kBoot, Phase::kServing, Phase::kExec}) {
    EXPECT_THAT(free.numbers(phase), Contains(SYS_pwrite64));
    EXPECT_THAT(free.numbers(phase), Not(Contains(SYS_pread64))) << "listed";
    EXPECT_THAT(free.numbers(phase), Not(Contains(SYS_mkdir))) << "a supervisor is asked";
    EXPECT_THAT(free.numbers(phase), Not(Contains(SYS_unshare)));
    EXPECT_THAT(free.numbers(phase), Not(Contains(SYS_fcntl)))
        << "the profile has conditions of its own, so its posture adds nothing";
    EXPECT_FALSE(free.way_of(SYS_fcntl, {0, F_GETFL}, phase));
  }
  EXPECT_THAT(free.numbers(Phase::kServing), Contains(SYS_getitimer)) << "listed in boot alone";
  EXPECT_THAT(free.numbers(Phase::kBoot), Not(Contains(SYS_getitimer)));
  EXPECT_THAT(free.numbers(Phase::kExec), Not(Contains(SYS_getitimer)));
  EXPECT_THAT(free.numbers(Phase::kServing), Contains(SYS_getrusage));
  EXPECT_THAT(free.numbers(Phase::kExec), Not(Contains(SYS_getrusage)));
}

TEST(FreeCalls, WhatASupervisorIsAskedForIsNotFree) {
  const FreeCalls free = free_of(Posture::kBalanced);
  EXPECT_TRUE(free.way_of(SYS_openat, {0, 0, O_RDONLY}, Phase::kServing));
  EXPECT_FALSE(free.way_of(SYS_openat, {0, 0, O_CREAT | O_WRONLY, 04755}, Phase::kServing));
  EXPECT_FALSE(free.way_of(-1, {}, Phase::kServing));
  EXPECT_FALSE(free.way_of(5000, {}, Phase::kServing));
}

// The same answer as the tables: in the filter, and not by the profile's own list.
TEST(FreeCalls, I13_AgreesWithTheTablesOnRandomCalls) {
  std::mt19937_64 random(7);
  Profile strict = web(Posture::kBalanced);
  strict.posture = Posture::kStrict;
  const auto listed = filter::to_table(compile(strict).value());
  for (const Posture posture : {Posture::kBalanced, Posture::kLenient}) {
    const FreeCalls free = free_of(posture);
    const auto all = filter::to_table(compile(web(posture)).value());
    const auto numbers = free.numbers(Phase::kServing);
    std::size_t seen = 0;
    for (int i = 0; i < 200'000; ++i) {
      const int nr = static_cast<int>(random() % 470);
      filter::CallArgs args{};
      for (auto& arg : args) arg = random() % 4 == 0 ? random() : random() % 64;
      const bool is_free = all.allows(nr, args, filter::kAllowedInServing) &&
                           !listed.allows(nr, args, filter::kAllowedInServing);
      ASSERT_EQ(free.way_of(nr, args, Phase::kServing).has_value(), is_free) << nr;
      if (!is_free) continue;
      ++seen;
      ASSERT_THAT(numbers, Contains(nr));
      ASSERT_LT(*free.way_of(nr, args, Phase::kServing), free.ways(nr));
    }
    EXPECT_GT(seen, 10'000U);
  }
}

// Else one in the kernel's table would stand for another that is stopped, or is another entry of
// the proposal.
TEST(FreeCalls, CallsThatAgreeInTheBitsToldApartAreFreeInTheSameWay) {
  std::mt19937_64 random(8);
  const FreeCalls free = free_of(Posture::kBalanced);
  for (const int nr : free.numbers(Phase::kServing)) {
    const filter::CallArgs bits = told_apart_by(nr);
    for (int i = 0; i < 200; ++i) {
      filter::CallArgs args{}, other{};
      for (std::size_t at = 0; at < args.size(); ++at) {
        args[at] = random() % 4 == 0 ? random() : random() % 64;
        other[at] = (args[at] & bits[at]) | (random() & ~bits[at]);
      }
      ASSERT_EQ(free.way_of(nr, args, Phase::kServing), free.way_of(nr, other, Phase::kServing))
          << nr;
    }
  }
}

}  // namespace
}  // namespace ward::profiles
