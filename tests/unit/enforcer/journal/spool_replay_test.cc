// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/spool_replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

std::string violation(const std::string& id) {
  node::v1::Violation out;
  out.set_event_id(id);
  return out.SerializeAsString();
}

class SpoolReplayTest : public testing::Test {
 protected:
  SpoolReplayTest()
      : writer_(loop_, database()),
        journal_(writer_, database(), {}),
        replay_(journal_, spool(), directory_.path() / "tallies") {
    std::filesystem::create_directories(spool());
  }
  std::filesystem::path database() { return directory_.path() / "ward.db"; }
  std::filesystem::path spool() { return directory_.path() / "spool"; }

  void on_the_database(const std::string& sql) {
    std::optional<Result<void>> done;
    writer_.submit([sql](Connection& connection) { return connection.execute(sql); },
                   [&](Result<void> result) { done = std::move(result); });
    ASSERT_TRUE(test::run_until(loop_, [&] { return done.has_value(); }));
    ASSERT_TRUE(*done) << done->error().message;
  }
  std::int64_t number(const std::string& sql) {
    auto connection = Connection::open(database(), Access::kReadOnly);
    auto statement = connection->prepare(sql);
    return statement && statement->step() ? statement->integer(0) : -1;
  }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  Writer writer_;
  Journal journal_;
  SpoolReplay replay_;
};

TEST_F(SpoolReplayTest, I4_TheSpoolOfADeadShimIsJournalledOnceAndRemoved) {
  {
    auto file = Spool::create(spool() / "shim-1");
    ASSERT_TRUE(file);
    for (int i = 0; i < 600; ++i)
      ASSERT_TRUE(file->append(violation("e" + std::to_string(i % 500))));
  }
  replay_.scan();
  replay_.scan();
  ASSERT_TRUE(test::run_until(loop_, [&] { return !std::filesystem::exists(spool() / "shim-1"); }));
  EXPECT_EQ(journal_.counts().events, 500U);
  EXPECT_EQ(journal_.counts().dropped, 0U);
}

TEST_F(SpoolReplayTest, TheSpoolOfALivingShimIsLeftToIt) {
  auto file = Spool::create(spool() / "shim-1");
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append(violation("e1")));
  replay_.scan();
  EXPECT_TRUE(std::filesystem::exists(spool() / "shim-1"));
  EXPECT_TRUE(replay_.problems().empty());
}

TEST_F(SpoolReplayTest, N06_AProblemStaysUntilItsFileIsTakenOrGone) {
  { ASSERT_TRUE(Spool::create(spool() / "shim-1")->append(violation("e1"))); }
  const auto elsewhere = directory_.path() / "elsewhere";
  std::filesystem::rename(spool(), elsewhere);
  std::ofstream(spool()) << "no directory";
  replay_.scan();
  replay_.scan();
  EXPECT_THAT(replay_.problems(), testing::ElementsAre(testing::HasSubstr("cannot list")));
  std::filesystem::remove(spool());
  std::filesystem::rename(elsewhere, spool());
  replay_.scan();
  ASSERT_TRUE(test::run_until(loop_, [&] { return !std::filesystem::exists(spool() / "shim-1"); }));
  EXPECT_TRUE(replay_.problems().empty());
  EXPECT_EQ(journal_.counts().events, 1U);
}

TEST_F(SpoolReplayTest, I4_WhatIsDamagedIsCountedAndTheRestIsKept) {
  {
    auto file = Spool::create(spool() / "shim-1");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->append(violation("e1")));
    ASSERT_TRUE(file->append("\xff\xff not a message"));
    ASSERT_TRUE(file->append(violation("e2")));
  }
  std::ofstream(spool() / "shim-1", std::ios::app) << "torn";
  replay_.scan();
  ASSERT_TRUE(test::run_until(loop_, [&] { return !std::filesystem::exists(spool() / "shim-1"); }));
  EXPECT_EQ(journal_.counts().events, 3U) << "two violations, and the word of the damage";
  EXPECT_EQ(journal_.counts().dropped, 2U);
}

// What a replay brought may have left the journal again (H05) when the replay has to begin anew.
TEST_F(SpoolReplayTest, I4_AReplayThatBeginsAgainCountsNothingTwice) {
  const auto file = spool() / "shim-1";
  {
    auto made = Spool::create(file);
    ASSERT_TRUE(made);
    ASSERT_TRUE(made->append("\xff\xff not a message"));
    for (int i = 0; i < 4000; ++i) ASSERT_TRUE(made->append(violation("1-" + std::to_string(i))));
  }
  replay_.scan();
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_.counts().told >= 1000; }));
  on_the_database("ALTER TABLE events RENAME TO elsewhere");
  ASSERT_TRUE(test::run_until(loop_, [&] { return writer_.problem().has_value(); }));
  on_the_database("ALTER TABLE elsewhere RENAME TO events");
  ASSERT_LT(journal_.counts().told, 4000U);
  journal_.set_limits({100, JournalLimits{}.max_age_ns});
  journal_.expire();
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_.counts().expired >= 900; }));
  ASSERT_TRUE(std::filesystem::exists(file));
  replay_.scan();
  ASSERT_TRUE(test::run_until(loop_, [&] { return !std::filesystem::exists(file); }));
  EXPECT_EQ(journal_.counts().told, 4000U);
  EXPECT_EQ(journal_.counts().dropped, 1U) << "what was damaged in the part that was read before";
  on_the_database("SELECT 1");
  EXPECT_EQ(number("SELECT count(*) FROM replays"), 0) << "no place is kept of a file that is gone";
}

TEST_F(SpoolReplayTest, I4_APlaceIsOfOneFileAndOfNoOtherOfItsName) {
  { ASSERT_TRUE(Spool::create(spool() / "shim-1")->append(violation("1-1"))); }
  on_the_database("INSERT INTO replays VALUES ('shim-1', 1, 30, 0), ('gone', 2, 30, 0)");
  replay_.scan();
  ASSERT_TRUE(test::run_until(loop_, [&] { return !std::filesystem::exists(spool() / "shim-1"); }));
  EXPECT_EQ(journal_.counts().told, 1U);
  on_the_database("SELECT 1");
  EXPECT_EQ(number("SELECT count(*) FROM replays"), 0);
}

TEST_F(SpoolReplayTest, I4_ADatabaseWithoutPlacesGetsThem) {
  const auto older = directory_.path() / "older.db";
  { Writer made(loop_, older); }
  {
    auto connection = Connection::open(older, Access::kReadWrite);
    ASSERT_TRUE(connection && connection->execute("DROP TABLE replays"));
  }
  Writer again(loop_, older);
  EXPECT_FALSE(again.problem()) << *again.problem();
  auto connection = Connection::open(older, Access::kReadOnly);
  EXPECT_TRUE(connection && connection->prepare("SELECT read_to FROM replays"));
}

TEST_F(SpoolReplayTest, WhatIsNoRegularFileIsNotTouched) {
  std::filesystem::create_directories(spool() / "directory");
  std::filesystem::create_symlink("/etc/passwd", spool() / "link");
  replay_.scan();
  EXPECT_TRUE(std::filesystem::is_symlink(spool() / "link"));
}

}  // namespace
}  // namespace ward::enforcer
