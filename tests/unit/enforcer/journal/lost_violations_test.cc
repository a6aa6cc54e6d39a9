// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/lost_violations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <optional>

#include "enforcer/journal/accounts.h"
#include "enforcer/journal/spool_replay.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

namespace fs = std::filesystem;

node::v1::Violation violation(const std::string& id, std::uint64_t repeats = 0) {
  node::v1::Violation out;
  out.set_event_id(id);
  out.set_repeats(repeats);
  return out;
}

// A wardd of its own on the same files for each begin(): as after a kill.
class LostViolationsTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(spool());
    begin();
  }
  void end() {
    bool drained = !writer_;
    if (writer_) writer_->drain([&] { drained = true; });
    ASSERT_TRUE(test::run_until(loop_, [&] { return drained; }));
    lost_.reset();
    replay_.reset();
    journal_.reset();
    writer_.reset();
  }
  void begin() {
    end();
    writer_.emplace(loop_, database());
    journal_.emplace(*writer_, database(), JournalLimits{});
    replay_.emplace(*journal_, spool(), tallies());
    lost_.emplace(loop_, *journal_, tallies(), spool());
    lost_->start();
    replay_->scan();
  }
  fs::path database() { return directory_.path() / "ward.db"; }
  fs::path spool() { return directory_.path() / "spool"; }
  fs::path tallies() { return directory_.path() / "tallies"; }

  // A shim of that id that saw so many violations and was killed.
  void dead_shim(const std::string& id, std::uint64_t seen,
                 const std::vector<node::v1::Violation>& spooled = {}) {
    node::v1::Identity who;
    who.set_containerd_namespace("default");
    who.set_container_id("c-" + id);
    auto tally = Tally::create(tallies() / ("default-1-" + id + ".tally"), who.SerializeAsString());
    ASSERT_TRUE(tally) << tally.error().message;
    ASSERT_TRUE(tally->set(seen));
    if (spooled.empty()) return;
    auto file = Spool::create(spool() / ("0.0.default-1-" + id + ".spool"));
    ASSERT_TRUE(file);
    for (const auto& record : spooled) ASSERT_TRUE(file->append(record.SerializeAsString()));
  }
  void report(const std::vector<node::v1::Violation>& violations) {
    std::vector<JournalEntry> entries;
    for (const auto& one : violations) entries.push_back({EventKind::kViolation, one});
    bool done = false;
    journal_->append(std::move(entries),
                     [&](const Result<void>& stored) { done = stored.has_value(); });
    ASSERT_TRUE(test::run_until(loop_, [&] { return done; }));
  }
  void look() {
    replay_->scan();
    lost_->scan();
  }
  bool no_tally() {
    return test::run_until(
        loop_, [&] { return fs::is_empty(tallies()); }, std::chrono::seconds(10));
  }
  // It commits what it submitted, and learns nothing of that. begin() makes the next one.
  void wardd_dies_between_commit_and_unlink() {
    end();
    asio::io_context loop;
    Writer writer(loop, database());
    Journal journal(writer, database(), JournalLimits{});
    LostViolations lost(loop, journal, tallies(), spool());
    std::promise<void> go;
    writer.submit(
        [may = go.get_future().share()](Connection& /*connection*/) -> Result<void> {
          may.wait();
          return {};
        },
        nullptr);
    lost.start();
    test::run_until(
        loop, [] { return false; }, std::chrono::seconds(2));
    go.set_value();
  }
  void let_disk_take_nothing(bool nothing) {
    writer_->submit(
        [nothing](Connection& connection) {
          return connection.execute(nothing ? "PRAGMA query_only=1" : "PRAGMA query_only=0");
        },
        nullptr);
  }
  bool holds(std::uint64_t count) {
    return test::run_until(
        loop_, [&] { return lost_->held() == count; }, std::chrono::seconds(10));
  }
  std::uint64_t sum() { return journal_->counts().told + journal_->counts().dropped; }
  std::vector<JournalRecord> lost_events() {
    std::vector<JournalRecord> out;
    const auto all = journal_->read(0, "", 1000);
    for (const auto& record : all.value()) {
      if (record.entry.kind == EventKind::kViolationsLost) out.push_back(record);
    }
    return out;
  }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  std::optional<Writer> writer_;
  std::optional<Journal> journal_;
  std::optional<SpoolReplay> replay_;
  std::optional<LostViolations> lost_;
};

TEST_F(LostViolationsTest, N08_I4_WhatAKilledShimCouldNotPlaceIsOneEventAndCounted) {
  report({violation("s1-1"), violation("s1-2", 9)});
  dead_shim("s1", 174, {violation("s1-2", 9), violation("s1-3")});
  look();
  ASSERT_TRUE(no_tally());
  ASSERT_EQ(lost_events().size(), 1U);
  const auto body = lost_events()[0].entry.body;
  EXPECT_EQ(body.dropped_before(), 174U - 12U);
  EXPECT_EQ(body.identity().container_id(), "c-s1");
  EXPECT_EQ(sum(), 174U);
}

TEST_F(LostViolationsTest, N08_I4_AShimThatLostNothingLeavesNoEvent) {
  dead_shim("s1", 5, {violation("s1-1"), violation("s1-2", 3)});
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_TRUE(lost_events().empty());
  EXPECT_EQ(sum(), 5U);
  EXPECT_TRUE(test::run_until(loop_, [&] { return journal_->account("s1").value_or(9) == 0; }))
      << "it is forgotten";
}

TEST_F(LostViolationsTest, N08_TheTallyOfALivingShimIsLeftToIt) {
  auto tally = Tally::create(tallies() / "default-1-s1.tally", "");
  ASSERT_TRUE(tally);
  ASSERT_TRUE(tally->set(3));
  look();
  test::run_until(
      loop_, [] { return false; }, std::chrono::seconds(2));
  EXPECT_TRUE(lost_events().empty());
  EXPECT_TRUE(fs::exists(tallies() / "default-1-s1.tally"));
}

// What the shim had sent is read from the socket only after its end was seen.
TEST_F(LostViolationsTest, N08_I4_AReportThatComesAfterTheEndOfItsShimCountsOnce) {
  dead_shim("s1", 10);
  look();
  report({violation("s1-1"), violation("s1-2")});
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(sum(), 10U);
  EXPECT_EQ(journal_->counts().told, 2U);
  report({violation("s1-3")});  // later than anything that lives: it is among the lost
  EXPECT_EQ(sum(), 10U);
}

TEST_F(LostViolationsTest, N08_I4_AWarddThatIsKilledAtAnyPointCountsOnce) {
  const fs::path tally = tallies() / "default-1-s1.tally";
  report({violation("s1-1")});
  dead_shim("s1", 10);
  const fs::path kept = directory_.path() / "kept";
  fs::copy_file(tally, kept);
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(sum(), 10U);
  fs::copy_file(kept, tally);  // the event was written, the file not removed
  begin();
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(sum(), 10U);
  EXPECT_EQ(lost_events().size(), 1U);
}

TEST_F(LostViolationsTest, N05_I4_WhileTheDiskTakesNothingTheNumberIsKnownAllTheSame) {
  report({violation("s1-1")});
  writer_->submit([](Connection& connection) { return connection.execute("PRAGMA query_only=1"); },
                  nullptr);
  dead_shim("s1", 174);
  look();
  ASSERT_TRUE(test::run_until(
      loop_, [&] { return lost_->held() == 173; }, std::chrono::seconds(10)))
      << lost_->held();
  EXPECT_TRUE(lost_events().empty());
  look();
  EXPECT_EQ(lost_->held(), 173U);
  writer_->submit([](Connection& connection) { return connection.execute("PRAGMA query_only=0"); },
                  nullptr);
  begin();
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(lost_->held(), 0U);
  EXPECT_EQ(sum(), 174U);
}

TEST_F(LostViolationsTest, H10_I4_WhatManyShimsCouldNotPlaceIsOneEvent) {
  for (std::uint64_t i = 1; i <= 50; ++i)
    ASSERT_TRUE(Tally::add_to_lost(tallies(), "shop.web", "", i, ""));
  look();
  ASSERT_TRUE(no_tally());
  ASSERT_EQ(lost_events().size(), 1U);
  EXPECT_EQ(sum(), 1275U);
  ASSERT_TRUE(Tally::add_to_lost(tallies(), "shop.web", "", 5, ""));
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(lost_events().size(), 2U) << "the next one is another";
  EXPECT_EQ(sum(), 1280U);
}

TEST_F(LostViolationsTest, I4_ASumThatGrowsAfterItWasJournalledCountsOnce) {
  ASSERT_TRUE(Tally::add_to_lost(tallies(), "shop.web", "", 5, ""));
  wardd_dies_between_commit_and_unlink();
  ASSERT_TRUE(Tally::add_to_lost(tallies(), "shop.web", "", 100, ""));
  wardd_dies_between_commit_and_unlink();
  begin();
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(lost_events().size(), 2U);
  EXPECT_EQ(sum(), 105U);
}

TEST_F(LostViolationsTest, N08_I4_AWarddThatIsKilledAfterTheCommitCountsATallyOnce) {
  report({violation("s1-1")});
  dead_shim("s1", 10);
  wardd_dies_between_commit_and_unlink();
  begin();
  EXPECT_EQ(lost_events().size(), 1U);
  EXPECT_TRUE(fs::exists(tallies() / "default-1-s1.tally"));
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(sum(), 10U);
  report({violation("s1-2")});
  EXPECT_EQ(sum(), 10U) << "it is among the lost";
}

// A copy of its tally is what a shim leaves that is killed before it could remove it.
TEST_F(LostViolationsTest, N08_I4_AShimThatIsKilledWhileItAddsToASumCountsOnce) {
  for (int i = 1; i <= 8; ++i) {  // the directory has no order
    const std::string name = "default-1-s" + std::to_string(i) + ".tally";
    dead_shim("s" + std::to_string(i), 7);
    const fs::path kept = directory_.path() / "kept";
    fs::copy_file(tallies() / name, kept);
    ASSERT_TRUE(Tally::add_to_lost(tallies(), "key" + std::to_string(i), "", 7, name));
    fs::rename(kept, tallies() / name);
  }
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(sum(), 56U);
}

TEST_F(LostViolationsTest, N08_I4_ATallyWhoseSumIsBeingWrittenByAnotherCountsOnce) {
  dead_shim("s1", 7);
  const fs::path tally = tallies() / "default-1-s1.tally";
  const fs::path kept = directory_.path() / "kept";
  fs::copy_file(tally, kept);
  ASSERT_TRUE(Tally::add_to_lost(tallies(), "key", "", 7, tally.filename()));
  auto other = Tally::take_over(fs::directory_iterator(tallies())->path());
  ASSERT_TRUE(other);
  fs::rename(kept, tally);
  look();
  test::run_until(
      loop_, [] { return false; }, std::chrono::seconds(2));
  EXPECT_EQ(sum(), 0U);
  other = fail(Code::kAborted, "it is done");
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(sum(), 7U);
}

// The sum names only who was added last: who adds next removes the tally before.
TEST_F(LostViolationsTest, N08_I4_ATallyThatGoesAfterItWasTakenIsInASum) {
  dead_shim("s1", 7);
  look();
  ASSERT_TRUE(Tally::add_to_lost(tallies(), "key", "", 7, "default-1-s1.tally"));
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(sum(), 7U);
}

TEST_F(LostViolationsTest, N05_I4_WhatAShimWithASpoolLostIsKnownWhileTheDiskTakesNothing) {
  let_disk_take_nothing(true);
  dead_shim("s1", 174, {violation("s1-1"), violation("s1-2", 9)});
  look();
  ASSERT_TRUE(holds(163)) << lost_->held();
  look();
  EXPECT_EQ(lost_->held(), 163U);
  let_disk_take_nothing(false);
  begin();
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(lost_->held(), 0U);
  EXPECT_EQ(sum(), 174U);
  EXPECT_EQ(journal_->counts().told, 11U);
}

TEST_F(LostViolationsTest, N08_I4_AnAccountThatWaitsIsClosedWhenItsSpoolIsInTheJournal) {
  dead_shim("s1", 10, {violation("s1-1"), violation("s1-2")});
  std::optional<Spool> busy;
  busy.emplace(Spool::take_over(spool() / "0.0.default-1-s1.spool").value());
  look();
  ASSERT_TRUE(holds(8)) << lost_->held();
  EXPECT_TRUE(Tally::take_over(tallies() / "default-1-s1.tally")) << "who waits holds no file";
  EXPECT_EQ(sum(), 0U);
  busy.reset();
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(lost_->held(), 0U);
  EXPECT_EQ(sum(), 10U);
  EXPECT_EQ(journal_->counts().told, 2U);
}

TEST_F(LostViolationsTest, N08_WhatAShimBeganToMakeAndDidNotFinishIsRemoved) {
  fs::create_directories(tallies());
  std::ofstream(tallies() / ".default-1-s1.tally.0a1b2c3d.new") << "half";
  look();
  EXPECT_TRUE(fs::is_empty(tallies()));
  EXPECT_TRUE(lost_->problems().empty());
}

TEST_F(LostViolationsTest, N05_I4_ShimsThatWaitForTheirSpoolDoNotStopOthers) {
  let_disk_take_nothing(true);
  for (int i = 0; i < 70; ++i) {
    const std::string id = "w" + std::to_string(i);
    dead_shim(id, 3, {violation(id + "-1")});
  }
  look();
  ASSERT_TRUE(holds(140)) << lost_->held();
  dead_shim("late", 1000);
  look();
  EXPECT_TRUE(holds(1140)) << lost_->held();
}

TEST_F(LostViolationsTest, N06_AProblemWithATallyStaysUntilItsFileIsGone) {
  fs::create_directories(tallies());
  std::ofstream(tallies() / "default-1-bad.tally") << "nothing of the kind";
  look();
  ASSERT_EQ(lost_->problems().size(), 1U);
  for (int i = 0; i < 70; ++i) dead_shim("w" + std::to_string(i), 3);
  for (int i = 0; i < 3; ++i) {
    look();
    EXPECT_EQ(lost_->problems().size(), 1U);
  }
  fs::remove(tallies() / "default-1-bad.tally");
  look();
  EXPECT_TRUE(lost_->problems().empty());
}

TEST_F(LostViolationsTest, N08_I4_ADamagedSpoolCostsWhatItsShimSaw) {
  dead_shim("s1", 20, {violation("s1-1"), violation("s1-2", 5), violation("s1-3")});
  const fs::path file = spool() / "0.0.default-1-s1.spool";
  fs::resize_file(file, fs::file_size(file) - 3);
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(journal_->counts().told, 7U);
  EXPECT_EQ(sum(), 20U);
}

TEST_F(LostViolationsTest, ADamagedTallyIsSaid) {
  fs::create_directories(tallies());
  std::ofstream(tallies() / "default-1-s1.tally") << "nothing of the kind";
  look();
  EXPECT_EQ(lost_->problems().size(), 1U);
}

TEST_F(LostViolationsTest, AccountsOfShimsThatLeftNothingAreForgottenAtTheNextStart) {
  report({violation("gone-1")});
  EXPECT_EQ(journal_->account("gone").value_or(0), 1U);
  begin();
  EXPECT_TRUE(test::run_until(loop_, [&] { return journal_->account("gone").value_or(9) == 0; }));
}

}  // namespace
}  // namespace ward::enforcer
