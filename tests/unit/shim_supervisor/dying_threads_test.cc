// SPDX-License-Identifier: Apache-2.0
// Held against real threads; what passes for one of them is made of files.
#include "shim/supervisor/dying_threads.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <thread>

namespace ward::shim::supervisor {
namespace {

TEST(DyingThreads, H01_TheOthersOfTheGroupAreNamedUntilTheDeadline) {
  std::promise<pid_t> began;
  std::promise<void> end;
  std::thread other([&] {
    began.set_value(::gettid());
    end.get_future().wait();
  });
  const pid_t tid = began.get_future().get();
  EXPECT_FALSE(DyingThreads().includes(tid, 1)) << "no execve was continued";
  const auto dying = DyingThreads::others_than(::getpid(), 1000);
  EXPECT_TRUE(dying.includes(tid, 1000));
  EXPECT_TRUE(dying.includes(tid, 1000 + DyingThreads::kDeadline_ns - 1));
  EXPECT_FALSE(dying.includes(tid, 1000 + DyingThreads::kDeadline_ns));
  EXPECT_FALSE(dying.includes(::getpid(), 1000)) << "it becomes the new program";
  EXPECT_FALSE(dying.includes(::getppid(), 1000));
  end.set_value();
  other.join();
  EXPECT_FALSE(dying.includes(tid, 1001)) << "it has ended";
}

class DyingThreadsInFiles : public testing::Test {
 protected:
  void SetUp() override {
    proc_ =
        std::filesystem::path(testing::TempDir()) / ("dying-threads-" + std::to_string(::getpid()));
    for (const int tid : {10, 11, 12}) {
      std::filesystem::create_directories(proc_ / std::to_string(tid) / "task");
      write(tid, 500);
    }
    for (const char* caller : {"10", "11"}) {
      for (const char* thread : {"10", "11", "12"})
        std::filesystem::create_directories(proc_ / caller / "task" / thread);
    }
  }
  void TearDown() override { std::filesystem::remove_all(proc_); }
  void write(int tid, int started) const {
    const auto directory = proc_ / std::to_string(tid);
    std::ofstream(directory / "status") << "Name:\tx\nTgid:\t10\n";
    std::ofstream(directory / "stat")
        << tid << " (x) S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 " << started << " 0 0 0";
  }
  std::filesystem::path proc_;
};

TEST_F(DyingThreadsInFiles, H01_ANumberThatIsUsedAgainIsAnotherThread) {
  const auto dying = DyingThreads::others_than(10, 0, proc_);
  EXPECT_TRUE(dying.includes(12, 1, proc_));
  write(12, 501);
  EXPECT_FALSE(dying.includes(12, 1, proc_));
}

TEST_F(DyingThreadsInFiles, H01_TheFirstThreadIsLeftOutWhereAnotherExecutes) {
  const auto dying = DyingThreads::others_than(11, 0, proc_);
  EXPECT_TRUE(dying.includes(12, 1, proc_));
  EXPECT_FALSE(dying.includes(10, 1, proc_))
      << "the new program takes over its number and its start time";
  EXPECT_FALSE(dying.includes(11, 1, proc_));
}

}  // namespace
}  // namespace ward::shim::supervisor
