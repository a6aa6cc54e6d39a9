// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/lost_violations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
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
  void begin() {
    lost_.reset();
    replay_.reset();
    journal_.reset();
    writer_.reset();
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
  void dead_shim(const std::string& id, std::uint64_t seen, const std::vector<node::v1::Violation>& spooled = {}) {
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
    for (const auto& one : violations) entries.push_back({"violation", one});
    bool done = false;
    journal_->append(std::move(entries), [&](const Result<void>& stored) { done = stored.has_value(); });
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
  std::uint64_t sum() { return journal_->counts().told + journal_->counts().dropped; }
  std::vector<JournalRecord> lost_events() {
    std::vector<JournalRecord> out;
    const auto all = journal_->read(0, "", 1000);
    for (const auto& record : all.value()) {
      if (record.entry.kind == "violations-lost") out.push_back(record);
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
  EXPECT_TRUE(test::run_until(loop_, [&] { return journal_->account("s1").value_or(9) == 0; })) << "it is forgotten";
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
  writer_->submit([](Connection& connection) { return connection.execute("PRAGMA query_only=1"); }, nullptr);
  dead_shim("s1", 174);
  look();
  ASSERT_TRUE(test::run_until(
      loop_, [&] { return lost_->held() == 173; }, std::chrono::seconds(10)))
      << lost_->held();
  EXPECT_TRUE(lost_events().empty());
  look();
  EXPECT_EQ(lost_->held(), 173U);
  writer_->submit([](Connection& connection) { return connection.execute("PRAGMA query_only=0"); }, nullptr);
  begin();
  look();
  ASSERT_TRUE(no_tally());
  EXPECT_EQ(lost_->held(), 0U);
  EXPECT_EQ(sum(), 174U);
}

TEST_F(LostViolationsTest, H10_I4_WhatManyShimsCouldNotPlaceIsOneEvent) {
  for (std::uint64_t i = 1; i <= 50; ++i) ASSERT_TRUE(Tally::add_to_lost(tallies(), "shop.web", "", i, ""));
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
