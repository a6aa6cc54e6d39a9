// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward {
namespace {

namespace fs = std::filesystem;

class Tallying : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(directory_); }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_))
      names.push_back(entry.path().filename());
    return names;
  }
  [[nodiscard]] fs::path only_file() const { return directory_ / files().at(0); }

  fs::path directory_ =
      fs::path(fs::exists("/dev/shm") ? "/dev/shm" : "/tmp") / ("ward-tally-" + random_hex(6));
  fs::path path_ = directory_ / "ns-7-abc.tally";
};

TEST_F(Tallying, N08_ACountSurvivesTheSuddenDeathOfItsOwner) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto tally = Tally::create(path_, "who");
    for (std::uint64_t i = 1; tally && i <= 1000; ++i) (void)tally->set(i);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto taken = Tally::take_over(path_);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->content().count, 1000U);
  EXPECT_EQ(taken->content().about, "who");
}

TEST_F(Tallying, N08_ATallyIsTakenOverOnlyWhenItsOwnerIsGone) {
  {
    const auto tally = Tally::create(path_, "");
    ASSERT_TRUE(tally);
    EXPECT_EQ(Tally::take_over(path_).error().code, Code::kFailedPrecondition);
    EXPECT_FALSE(Tally::create(path_, "")) << "a name is one process's";
  }
  auto taken = Tally::take_over(path_);
  ASSERT_TRUE(taken);
  ASSERT_TRUE(taken->remove());
  EXPECT_EQ(Tally::take_over(path_).error().code, Code::kNotFound);
}

TEST_F(Tallying, TheIdIsWhatStandsBehindTheLastDash) {
  EXPECT_EQ(tally_id("my-ns-12-a1b2.tally"), "a1b2");
  EXPECT_EQ(tally_id("01234567.89abcdef.my-ns-12-a1b2.spool"), "a1b2");
  EXPECT_EQ(tally_id("plain"), "plain");
  ASSERT_TRUE(Tally::create(path_, ""));
  EXPECT_TRUE(find_tally(directory_, "abc"));
  EXPECT_FALSE(find_tally(directory_, "7-abc"));
}

TEST_F(Tallying, H10_WhatManyCouldNotPlaceIsOneFileForEachKey) {
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const std::string name = "ns-" + std::to_string(i) + "-x" + std::to_string(i) + ".tally";
    { ASSERT_TRUE(Tally::create(directory_ / name, "")); }
    ASSERT_TRUE(Tally::add_to_lost(directory_, i % 2 == 0 ? "even" : "odd", "shop", i, name));
  }
  ASSERT_EQ(files().size(), 2U);
  std::uint64_t sum = 0;
  for (const std::string& name : files()) {
    const auto lost = Tally::take_over(directory_ / name);
    ASSERT_TRUE(lost) << lost.error().message;
    EXPECT_EQ(lost->content().about, "shop");
    sum += lost->content().count;
  }
  EXPECT_EQ(sum, 210U);
}

// Its owner died between the addition and the removal: a reader must not find both.
TEST_F(Tallying, H10_WhatWasAddedAndNotRemovedYetGoesWithTheSum) {
  { ASSERT_TRUE(Tally::create(path_, "")); }
  const std::string own = path_.filename();
  const std::string before = read_file(path_).value();
  ASSERT_TRUE(Tally::add_to_lost(directory_, "key", "", 5, own));
  std::ofstream(path_, std::ios::binary) << before;
  auto lost = Tally::take_over(directory_ / files().at(files().at(0) == own ? 1 : 0));
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->content().count, 5U);
  ASSERT_TRUE(lost->remove());
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(Tallying, H10_WhatComesWhileASumIsReadIsAnotherSum) {
  ASSERT_TRUE(Tally::add_to_lost(directory_, "key", "", 5, ""));
  const auto reader = Tally::take_over(only_file());
  ASSERT_TRUE(reader);
  ASSERT_TRUE(Tally::add_to_lost(directory_, "key", "", 7, ""));
  EXPECT_EQ(reader->content().count, 5U);
  EXPECT_EQ(files().size(), 2U);
}

TEST_F(Tallying, H10_TheirNumberIsBounded) {
  fs::create_directories(directory_);
  for (std::size_t i = 0; i < kMaxTallies; ++i) std::ofstream(directory_ / std::to_string(i));
  EXPECT_EQ(Tally::create(path_, "").error().code, Code::kResourceExhausted);
}

// Takes whatever lies there, as wardd does, again and again.
class Taker {
 public:
  explicit Taker(fs::path directory)
      : directory_(std::move(directory)), thread_([this] { run(); }) {}
  void finish() {
    if (!thread_.joinable()) return;
    done_ = true;
    thread_.join();
    take();
  }
  ~Taker() { finish(); }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void run() {
    while (!done_) take();
  }
  void take() {
    std::error_code error;
    for (fs::directory_iterator at(directory_, error), end; !error && at != end;
         at.increment(error)) {
      const std::string suffix = at->path().extension();
      if (suffix != kTallySuffix && suffix != kLostSuffix) continue;
      auto taken = Tally::take_over(at->path());
      if (taken) {
        sum_ += taken->content().count;
        if (!taken->remove()) problem_ = "cannot remove";
      } else if (taken.error().code == Code::kInvalidArgument) {
        problem_ = taken.error().message;
      }
    }
  }

  fs::path directory_;
  std::atomic<bool> done_ = false;
  std::uint64_t sum_ = 0;
  std::string problem_;
  std::thread thread_;
};

TEST_F(Tallying, N08_AReaderThatLooksAtAnyMomentFindsNoUnfinishedTally) {
  fs::create_directories(directory_);
  Taker taker(directory_);
  for (int i = 0; i < 2000; ++i) {
    auto tally = Tally::create(directory_ / ("ns-7-" + std::to_string(i) + ".tally"), "who");
    ASSERT_TRUE(tally) << tally.error().message;
    ASSERT_TRUE(tally->set(1));
    ASSERT_TRUE(fs::exists(tally->path())) << "taken from a living process";
    ASSERT_TRUE(tally->remove());
  }
  taker.finish();
  EXPECT_EQ(taker.problem(), "");
  EXPECT_EQ(taker.sum(), 0U);
  EXPECT_TRUE(files().empty());
}

TEST_F(Tallying, H10_I4_AReaderThatLooksAtAnyMomentGetsEverySum) {
  fs::create_directories(directory_);
  Taker taker(directory_);
  for (int i = 0; i < 2000; ++i) {
    const auto added = Tally::add_to_lost(directory_, "key", "who", 3, "");
    ASSERT_TRUE(added) << added.error().message;
  }
  taker.finish();
  EXPECT_EQ(taker.problem(), "");
  EXPECT_EQ(taker.sum(), 6000U);
}

TEST_F(Tallying, EveryCutAndEveryFlippedBitOfTheHeadEndsInAnAnswer) {
  {
    auto tally = Tally::create(path_, "who");
    ASSERT_TRUE(tally);
    ASSERT_TRUE(tally->set(3));
  }
  const std::string whole = read_file(path_).value();
  EXPECT_EQ(whole.size(), kTallyFileBytes);
  for (std::size_t size = 0; size < 300; ++size) (void)parse_tally(whole.substr(0, size));
  for (std::size_t i = 0; i < 290; ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(~damaged[i]);
    const auto content = parse_tally(damaged);
    EXPECT_EQ(content.has_value(),
              i >= 8 && i != 17 && i != 18 && i != 19 && i != 21 && i != 22 && i != 23)
        << i;
  }
}

}  // namespace
}  // namespace ward
