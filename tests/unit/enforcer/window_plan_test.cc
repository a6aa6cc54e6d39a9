// SPDX-License-Identifier: Apache-2.0
// Whom a window looks at, and for what: everybody in turn, however many there are.
#include "enforcer/window_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace ward::enforcer {
namespace {

using filter::Phase;

profiles::Profile profile(profiles::Posture posture) {
  profiles::Profile out;
  out.name = "web";
  out.architectures = {"x86_64"};
  out.posture = posture;
  return out;
}

std::shared_ptr<Law> law(profiles::Posture posture = profiles::Posture::kBalanced) {
  static const auto free = profiles::FreeCalls::of(profile(posture)).value();
  return std::make_shared<Law>(Law{"digest", free, {}});
}

// So many of one profile, and their tags.
struct Containers {
  explicit Containers(std::size_t count, const std::shared_ptr<Law>& of = law()) {
    for (std::size_t i = 0; i < count; ++i) add(std::to_string(100'000 + i), of);
  }
  void add(const std::string& id, const std::shared_ptr<Law>& of, Phase phase = Phase::kServing) {
    all.push_back({{"default", id}, "web", phase, of});
    tags.emplace(ContainerTable::Key("default", id), tags.size() + 1);
  }
  std::vector<Watched> all;
  std::multimap<ContainerTable::Key, std::uint64_t> tags;
};

TEST(WindowPlan, LooksForFreeCallsAloneAndInSessionsForThoseOfSessions) {
  const Containers one(1);
  const WindowPlan plan = plan_window(one.all, one.tags, {});
  ASSERT_EQ(plan.sets.size(), 1U);
  EXPECT_TRUE(plan.sets[0].workload[SYS_pwrite64] && plan.sets[0].exec[SYS_pwrite64]);
  for (const int nr : {SYS_mkdir, SYS_unshare, SYS_execve, SYS_write})
    EXPECT_FALSE(plan.sets[0].workload[static_cast<std::size_t>(nr)]) << nr;
}

TEST(WindowPlan, WhatWasToldIsNotLookedForAgain) {
  Containers one(1);
  one.all[0].law->told.insert({SYS_pwrite64, false, 0});
  const WindowPlan plan = plan_window(one.all, one.tags, {});
  EXPECT_FALSE(plan.sets[0].workload[SYS_pwrite64]);
  EXPECT_TRUE(plan.sets[0].exec[SYS_pwrite64]) << "a session's was not";
  // A call that is told apart by its arguments is looked for until all of its ways were told.
  ASSERT_GT(one.all[0].law->free.ways(SYS_openat), 1U);
  one.all[0].law->told.insert({SYS_openat, false, 0});
  EXPECT_TRUE(plan_window(one.all, one.tags, {}).sets[0].workload[SYS_openat]);
}

TEST(WindowPlan, ThreeHundredContainersAreOneWindow) {
  const Containers many(300);
  const WindowPlan plan = plan_window(many.all, many.tags, {});
  EXPECT_EQ(plan.watched, 300U);
  EXPECT_EQ(plan.sets.size(), 1U) << "they share one profile";
}

TEST(WindowPlan, MoreThanThereIsRoomForTakeTurns) {
  const Containers many(10'000);
  std::map<std::string, int> seen;
  ContainerTable::Key behind;
  for (int window = 0; window < 3; ++window) {
    const WindowPlan plan = plan_window(many.all, many.tags, behind);
    EXPECT_LE(plan.containers.size(), recorder::kMostSampledContainers);
    for (const auto& [tag, watched] : plan.by_tag) ++seen[watched.key.second];
    behind = plan.last;
  }
  EXPECT_EQ(seen.size(), 10'000U) << "every one in three windows";
}

TEST(WindowPlan, SoDoProfilesAndTheOnesThatAreInHandStayWhole) {
  Containers many(0);
  for (int i = 0; i < 600; ++i) many.add(std::to_string(1000 + i), law());
  std::set<std::string> seen;
  ContainerTable::Key behind;
  for (int window = 0; window < 3; ++window) {
    const WindowPlan plan = plan_window(many.all, many.tags, behind);
    EXPECT_LE(plan.sets.size(), recorder::kMostSampledSets);
    for (const auto& [tag, watched] : plan.by_tag) seen.insert(watched.key.second);
    behind = plan.last;
  }
  EXPECT_EQ(seen.size(), 600U);
}

TEST(WindowPlan, OneInBootAndOneThatServesAreToldApart) {
  const auto of = law();
  Containers two(0);
  two.add("a", of, Phase::kBoot);
  two.add("b", of, Phase::kServing);
  EXPECT_EQ(plan_window(two.all, two.tags, {}).sets.size(), 2U);
}

TEST(WindowPlan, WhatTheKernelDoesNotKnowTakesNoRoomAndIsNotCounted) {
  Containers few(3);
  few.tags.erase(ContainerTable::Key("default", "100001"));
  few.tags.emplace(ContainerTable::Key("default", "100002"), 77);  // one of this name before it
  const WindowPlan plan = plan_window(few.all, few.tags, {});
  EXPECT_EQ(plan.watched, 2U);
  EXPECT_EQ(plan.containers.size(), 3U);
  EXPECT_EQ(plan_window({}, few.tags, {}).watched, 0U);
}

}  // namespace
}  // namespace ward::enforcer
