// SPDX-License-Identifier: Apache-2.0
// Expected figures are worked out by hand beside each test.
#include "profiles/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Coverage, Chao2AndGoodTuringOfOneRunAreAsWorkedOutByHand) {
  // m = 10; calls 1..6 seen in 1, 1, 1, 2, 2, 10 windows: S = 6, Q1 = 3, Q2 = 2.
  // Chao2 = 6 + 9/10 * 3*2 / (2*(2+1)) = 6.9; Q1/m = 0.3.
  const Estimate e =
      estimate({Incidence{1, 10, {{1, 1}, {2, 1}, {3, 1}, {4, 2}, {5, 2}, {6, 10}}}});
  EXPECT_EQ(e.windows, 10U);
  EXPECT_EQ(e.seen, 6U);
  EXPECT_EQ(e.uniques, 3U);
  EXPECT_EQ(e.duplicates, 2U);
  EXPECT_DOUBLE_EQ(e.total, 6.9);
  EXPECT_NEAR(e.unseen(), 0.9, 1e-9);
  EXPECT_DOUBLE_EQ(e.unseen_mass, 0.3);
}

TEST(Coverage, WindowsOfSeveralRunsAreSamplesSideBySide) {
  // m = 5 + 15 = 20; call 1: 1 + 1 = 2 windows, call 2: 1, call 3: 5 + 15. S = 3, Q1 = 1, Q2 = 1.
  // Chao2 = 3 + 19/20 * 1*0 / 4 = 3; Q1/m = 0.05.
  const Estimate e =
      estimate({Incidence{1, 5, {{1, 1}, {3, 5}}}, Incidence{1, 15, {{1, 1}, {2, 1}, {3, 15}}}});
  EXPECT_EQ(e.windows, 20U);
  EXPECT_EQ(e.uniques, 1U);
  EXPECT_EQ(e.duplicates, 1U);
  EXPECT_DOUBLE_EQ(e.total, 3);
  EXPECT_DOUBLE_EQ(e.unseen_mass, 0.05);
}

TEST(Coverage, NoDuplicatesDoNotDivideByZero) {
  // m = 4, Q1 = 4, Q2 = 0: 4 + 3/4 * 4*3/2 = 8.5; the mass is capped at 1.
  const Estimate e = estimate({Incidence{1, 4, {{1, 1}, {2, 1}, {3, 1}, {4, 1}}}});
  EXPECT_DOUBLE_EQ(e.total, 8.5);
  EXPECT_DOUBLE_EQ(e.unseen_mass, 1.0);
}

TEST(Coverage, NothingRecordedMeansEverythingIsUnseen) {
  const Coverage c = coverage({});
  EXPECT_FALSE(c.reliable);
  EXPECT_DOUBLE_EQ(c.fine.unseen_mass, 1.0);
  EXPECT_EQ(c.verdict, "Nothing was recorded.");
  EXPECT_TRUE(c.life.seen.empty());
  EXPECT_EQ(describe(c.life.missing), "start, exec, stop by TERM");
}

Run steady_run(const std::string& id, std::uint32_t windows) {
  Run run;
  run.id = id;
  run.fine = {kFineWindow_ns, windows, {{SYS_read, windows}, {SYS_write, windows}}};
  run.coarse = {kCoarseWindow_ns, windows / 5, {{SYS_read, windows / 5}, {SYS_write, windows / 5}}};
  run.syscalls.push_back({SYS_read, Origin::kWorkload, 10, 0, 100, {}});
  return run;
}

TEST(Coverage, F33_OneRunIsNoGroundForAnEstimate) {
  EXPECT_FALSE(coverage({"web", "ebpf", {steady_run("a", 40)}}).estimated)
      << "its start happens once";
  EXPECT_FALSE(coverage({"web", "ebpf", {steady_run("a", 5), steady_run("b", 5)}}).estimated)
      << "few windows";
  EXPECT_FALSE(coverage({"web", "ebpf", {steady_run("a", 40), steady_run("b", 0)}}).estimated)
      << "one did nothing";
  EXPECT_TRUE(coverage({"web", "ebpf", {steady_run("a", 20), steady_run("b", 20)}}).estimated);
}

TEST(Coverage, TwoSteadyRunsAreReliableAndNeverCalledAGuarantee) {
  const Coverage c = coverage({"web", "ebpf", {steady_run("a", 30), steady_run("b", 30)}});
  EXPECT_TRUE(c.reliable);
  EXPECT_THAT(c.verdict, StartsWith("2 calls were seen, and about 0 more are expected"));
  EXPECT_THAT(c.verdict, HasSubstr("no guarantee"));
}

TEST(Coverage, FewWindowsOrOneRunAreNotReliableYet) {
  EXPECT_THAT(coverage({"web", "ebpf", {steady_run("a", 5), steady_run("b", 5)}}).verdict,
              StartsWith("Not reliable yet: 10 windows"));
  EXPECT_THAT(coverage({"web", "ebpf", {steady_run("a", 60)}}).verdict,
              StartsWith("Not reliable yet: one run only"));
}

TEST(Coverage, WindowSizesThatDisagreeAreNotReliableYet) {
  profiles::Run odd = steady_run("b", 30);
  for (int nr = 100; nr < 110; ++nr) {
    odd.fine.seen_in[nr] = 1;    // fine: Q1 = 10, Q2 = 0 -> 45 more
    odd.coarse.seen_in[nr] = 3;  // coarse: none
  }
  const Coverage c = coverage({"web", "ebpf", {steady_run("a", 30), odd}});
  EXPECT_FALSE(c.reliable);
  EXPECT_THAT(c.verdict, StartsWith("Not reliable yet: at 1 s windows"));
}

}  // namespace
}  // namespace ward::profiles
