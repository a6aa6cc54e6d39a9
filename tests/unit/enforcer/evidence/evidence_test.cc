// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "enforcer/evidence/evidence_directory.h"
#include "lib/base/clock.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

constexpr std::int64_t kHour_ns = 3'600'000'000'000;
constexpr std::int64_t kNow_ns = 1000 * kHour_ns;

std::vector<std::string> names(const std::vector<Removal>& removals) {
  std::vector<std::string> out;
  for (const Removal& removal : removals) out.push_back(removal.bundle.name);
  return out;
}

std::size_t count(const std::vector<Removal>& removals, Why why) {
  return static_cast<std::size_t>(
      std::count_if(removals.begin(), removals.end(),
                    [&](const Removal& removal) { return removal.why == why; }));
}

TEST(Retention, WhatIsOlderThanTheAgeGoes) {
  const auto removals = choose_removals(
      {{"old", "a", kNow_ns - 200 * kHour_ns, 1}, {"young", "a", kNow_ns - 100 * kHour_ns, 1}}, {},
      kNow_ns);
  EXPECT_THAT(names(removals), ElementsAre("old"));
  EXPECT_EQ(removals.front().why, Why::kAge);
}

TEST(Retention, ANoisyWorkloadHoldsAQuarterAndPushesNobodyOut) {
  std::vector<EvidenceBundle> bundles{{"of-another", "quiet", kNow_ns - 100 * kHour_ns, 1}};
  for (int i = 0; i < 899; ++i)
    bundles.push_back({"n" + std::to_string(i), "noisy", kNow_ns - kHour_ns + i, 1});
  const auto removals = choose_removals(bundles, {}, kNow_ns);
  EXPECT_EQ(removals.size(), 899U - 225U);
  EXPECT_EQ(count(removals, Why::kShare), removals.size());
  EXPECT_EQ(removals.front().bundle.name, "n0") << "its oldest";
  EXPECT_THAT(names(removals), testing::Not(Contains("of-another")));
}

TEST(Retention, TheOldestGoBeyondTheNumberAndBeyondTheBytes) {
  std::vector<EvidenceBundle> bundles;
  for (int i = 0; i < 10; ++i)
    bundles.push_back({"b" + std::to_string(i), "w" + std::to_string(i), kNow_ns - 100 + i, 10});
  EvidenceLimits limits;
  limits.max_bundles = 8;
  limits.max_total_bytes = 60;
  const auto removals = choose_removals(bundles, limits, kNow_ns);
  EXPECT_THAT(names(removals), ElementsAre("b0", "b1", "b2", "b3"));
  EXPECT_EQ(count(removals, Why::kNumber), 2U);
  EXPECT_EQ(count(removals, Why::kBytes), 2U);
}

TEST(Retention, TheBytesOfOneWorkloadAreBoundedButItsNewestBundleStays) {
  EvidenceLimits limits;
  limits.max_total_bytes = 1000;
  const auto removals = choose_removals(
      {{"first", "large", kNow_ns - 3, 300}, {"last", "large", kNow_ns - 2, 300}}, limits, kNow_ns);
  EXPECT_THAT(names(removals), ElementsAre("first"));
  EXPECT_EQ(removals.front().why, Why::kShare);
}

class EvidenceDirectoryTest : public testing::Test {
 protected:
  EvidenceDirectoryTest() { fs::create_directory(root_); }

  // As a shim's collector leaves it: much follows the violation, more than is read of it.
  void add(const std::string& name, const std::string& image = "nginx",
           std::int64_t age_hours = 1) {
    fs::create_directory(root_ / name);
    std::ofstream(root_ / name / "evidence.json")
        << R"({"format": 1, "violation": {"event_id": "e", "containerd_namespace": "k8s.io", "container_id": ")"
        << name << R"(", "kubernetes_namespace": "shop", "image": ")" << image
        << R"(", "profile": "web", "args": [1, 2]}, "processes": [{"image": "no"}, ")"
        << std::string(100'000, 'x') << "\"]}";
    std::ofstream(root_ / name / "SHA256SUMS") << "sums\n";
    set_age(name, age_hours);
  }
  void set_age(const std::string& name, std::int64_t age_hours) const {
    fs::last_write_time(root_ / name,
                        fs::file_time_type::clock::now() - std::chrono::hours(age_hours));
  }
  std::vector<Removal> expire(const EvidenceLimits& limits = {}) {
    const auto removed = evidence_.expire(limits, wall_ns());
    EXPECT_TRUE(removed) << removed.error().message;
    return removed ? *removed : std::vector<Removal>{};
  }
  [[nodiscard]] std::size_t left() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }

  test::ScratchDirectory scratch_;
  fs::path root_ = scratch_.path() / "evidence";
  EvidenceDirectory evidence_{root_};
};

TEST_F(EvidenceDirectoryTest, RemovesWholeBundlesAndSaysWhoseTheyWere) {
  add("old", "nginx", 200);
  add("new");
  EXPECT_THAT(expire(),
              ElementsAre(AllOf(Field(&Removal::why, Why::kAge),
                                Field(&Removal::bundle, AllOf(Field(&EvidenceBundle::name, "old"),
                                                              Field(&EvidenceBundle::workload,
                                                                    "k8s.io shop nginx web"))))));
  EXPECT_FALSE(fs::exists(root_ / "old"));
  EXPECT_TRUE(fs::exists(root_ / "new/evidence.json"));
  EXPECT_THAT(expire(), IsEmpty());
}

TEST_F(EvidenceDirectoryTest, AContainerThatIsStartedAgainAndAgainIsOneWorkload) {
  EvidenceLimits limits;
  limits.max_bundles = 8;
  for (int i = 0; i < 6; ++i) add("noisy-" + std::to_string(i), "noisy", 10 - i);
  add("quiet", "quiet", 20);
  EXPECT_THAT(names(expire(limits)), ElementsAre("noisy-0", "noisy-1", "noisy-2", "noisy-3"));
  EXPECT_TRUE(fs::exists(root_ / "quiet"));
}

TEST_F(EvidenceDirectoryTest, SymbolicLinksAreNeverFollowed) {
  const fs::path elsewhere = scratch_.path() / "elsewhere";
  fs::create_directory(elsewhere);
  std::ofstream(elsewhere / "precious") << "stays";
  fs::create_directory_symlink(elsewhere, root_ / "link");
  add("old", "nginx", 200);
  fs::create_directory_symlink(elsewhere, root_ / "old" / "inside");
  fs::create_symlink(elsewhere / "precious", root_ / "old" / "file");
  set_age("old", 200);
  EXPECT_THAT(names(expire()), ElementsAre("old"));
  EXPECT_TRUE(fs::is_symlink(root_ / "link")) << "none of ours";
  EXPECT_TRUE(fs::exists(elsewhere / "precious"));
}

TEST_F(EvidenceDirectoryTest, WhatACollectorStillWritesToIsLeftForLater) {
  fs::create_directory(root_ / "running");
  std::ofstream(root_ / "running" / "incomplete.txt") << "the collector has not finished\n";
  EvidenceLimits none;
  none.max_bundles = 0;
  EXPECT_THAT(expire(none), IsEmpty());
  set_age("running", 1);
  EXPECT_THAT(names(expire(none)), ElementsAre("running")) << "its process ended early";
}

// Sealed then, it would lack the marker for ever after, as if somebody had taken it away.
TEST_F(EvidenceDirectoryTest, ABundleIsNotCompleteBeforeItsMarkerIsGone) {
  add("web", "nginx", 0);
  std::ofstream(root_ / "web" / "incomplete.txt") << "the collector has not finished\n";
  expire();
  EXPECT_THAT(evidence_.complete(), IsEmpty());
  fs::remove(root_ / "web" / "incomplete.txt");
  expire();
  EXPECT_THAT(evidence_.complete(), ElementsAre(Field(&EvidenceBundle::name, "web")));
}

TEST_F(EvidenceDirectoryTest, KeepingAllRemovesNothingHoweverOld) {
  add("old", "nginx", 24 * 365 * 20);
  EXPECT_THAT(expire(kKeepAllEvidence), IsEmpty());
}

TEST_F(EvidenceDirectoryTest, OnePassIsBoundedAndTheNextGoesOn) {
  constexpr std::size_t kMany = EvidenceDirectory::kMaxRemovalsOfOnePass + 20;
  for (std::size_t i = 0; i < kMany; ++i) {
    fs::create_directory(root_ / std::to_string(i));
    set_age(std::to_string(i), 200);
  }
  EXPECT_EQ(expire().size(), EvidenceDirectory::kMaxRemovalsOfOnePass);
  EXPECT_EQ(left(), 20U);
  EXPECT_EQ(expire().size(), 20U);
}

TEST_F(EvidenceDirectoryTest, WhatCannotBeRemovedIsTriedOnceAndHoldsUpNothing) {
  add("strange", "nginx", 300);
  fs::create_directories(root_ / "strange" / "directory");
  set_age("strange", 300);
  add("old", "nginx", 200);
  EXPECT_THAT(names(expire()), ElementsAre("old"));
  EXPECT_TRUE(fs::exists(root_ / "strange" / "directory"));
  EXPECT_THAT(expire(), IsEmpty());
}

TEST_F(EvidenceDirectoryTest, AMissingDirectoryIsAnErrorThatNamesIt) {
  fs::remove(root_);
  const auto removed = evidence_.expire({}, wall_ns());
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().message, testing::HasSubstr(root_.string()));
}

}  // namespace
}  // namespace ward::enforcer
