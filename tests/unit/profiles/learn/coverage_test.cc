// SPDX-License-Identifier: Apache-2.0
// Expected figures are worked out by hand beside each test.
#include "profiles/learn/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cmath>
#include <random>
#include <set>

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
  EXPECT_THAT(c.verdict, HasSubstr("of what was not exercised this says nothing"));
}

TEST(Coverage, BoundsAreThoseOfClopperAndPearson) {
  // Where nothing was found: 1 - 0.025^(1/n), about 3.7/n.
  EXPECT_NEAR(share_at_most(0, 3), 0.7076, 1e-4);
  EXPECT_NEAR(share_at_most(0, 100), 0.0362, 1e-4);
  EXPECT_NEAR(share_at_most(1, 10), 0.4450, 1e-4);
  EXPECT_NEAR(share_at_most(5, 1000), 0.0116, 1e-4);
  EXPECT_EQ(share_at_most(0, 0), 1);
  EXPECT_EQ(share_at_most(4, 4), 1);
}

TEST(Coverage, I13_IdenticalRunsAreNotCalledCertain) {
  std::vector<profiles::Run> runs;
  for (int i = 0; i < 3; ++i) runs.push_back(steady_run(std::to_string(i), 40));
  const Coverage c = coverage({"web", "ebpf", runs});
  EXPECT_DOUBLE_EQ(c.fine.unseen_mass, 0);
  EXPECT_NEAR(c.fine.mass_at_most, 0.0303, 1e-4);
  EXPECT_NEAR(c.lives.at_most, 0.7076, 1e-4);
  EXPECT_EQ(c.verdict,
            "2 calls were seen, and about 0 more are expected of the same load. At most 3.0 % of "
            "its seconds, and at most 70.8 % of further runs, show a new one (95 % confidence; 3 "
            "runs, all alike). Runs of one load repeat it: of what was not exercised this says "
            "nothing.");
}

TEST(Coverage, ARunWithACallOfItsOwnIsCounted) {
  std::vector<profiles::Run> runs;
  for (int i = 0; i < 4; ++i) runs.push_back(steady_run(std::to_string(i), 40));
  runs[0].syscalls.push_back({SYS_unlink, Origin::kWorkload, 1, 0, 0, {}});
  runs[1].syscalls.push_back({SYS_rename, Origin::kWorkload, 1, 0, 0, {}});
  runs[1].syscalls.push_back({SYS_chmod, Origin::kWorkload, 1, 0, 0, {}});
  runs[2].syscalls.push_back({SYS_mkdir, Origin::kExec, 1, 0, 0, {}});  // not the workload's
  const RunEstimate lives = estimate_lives(runs);
  EXPECT_EQ(lives.runs, 4U);
  EXPECT_EQ(lives.peculiar, 2U);
  EXPECT_NEAR(lives.at_most, share_at_most(2, 4), 1e-9);
}

// Calls whose chances are known, drawn again and again: how often does the truth lie within the
// bound? Chances of many orders of magnitude, as programs have them.
TEST(Coverage, TheTruthLiesWithinTheBoundInNineteenOfTwentyCases) {
  std::mt19937_64 random(3);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
  std::uniform_real_distribution<double> uniform(0, 1);
  for (const std::uint32_t runs : {3U, 5U, 10U, 40U}) {
    int within = 0;
    constexpr int kCases = 400;
    for (int i = 0; i < kCases; ++i) {
      std::vector<double> chances(120);
      for (double& chance : chances) chance = std::pow(10, -4 * uniform(random));
      std::vector<profiles::Run> drawn(runs);
      std::set<int> seen;
      for (profiles::Run& run : drawn) {
        run.fine.windows = 1;
        for (int nr = 0; nr < static_cast<int>(chances.size()); ++nr) {
          if (uniform(random) >= chances[static_cast<std::size_t>(nr)]) continue;
          run.syscalls.push_back({nr, Origin::kWorkload, 1, 0, 0, {}});
          seen.insert(nr);
        }
      }
      double nothing_new = 1;
      for (int nr = 0; nr < static_cast<int>(chances.size()); ++nr)
        if (!seen.contains(nr)) nothing_new *= 1 - chances[static_cast<std::size_t>(nr)];
      within += 1 - nothing_new <= estimate_lives(drawn).at_most ? 1 : 0;
    }
    EXPECT_GE(within, kCases * 95 / 100) << runs << " runs";
  }
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
