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
    for (int i = 0; i < 600; ++i) ASSERT_TRUE(file->append(violation("e" + std::to_string(i % 500))));
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

TEST_F(SpoolReplayTest, WhatIsNoRegularFileIsNotTouched) {
  std::filesystem::create_directories(spool() / "directory");
  std::filesystem::create_symlink("/etc/passwd", spool() / "link");
  replay_.scan();
  EXPECT_TRUE(std::filesystem::is_symlink(spool() / "link"));
}

}  // namespace
}  // namespace ward::enforcer
