// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/process_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

namespace ward {
namespace {

constexpr std::string_view kFields =
    " S 77 1 1 0 -1 4194560 100 200 0 0 1 2 3 4 20 0 1 0 123456 5000 100 18446744073709551615 1 2 "
    "140000000001 0 0 0 0 "
    "0";

TEST(ProcessInfo, I7_StatIsParsedFromTheLastParenthesis) {
  const auto stat = parse_stat("42 (x) R 1 1 (y\n)" + std::string(kFields));
  ASSERT_TRUE(stat) << stat.error().message;
  EXPECT_EQ(stat->pid, 42);
  EXPECT_EQ(stat->comm, "x) R 1 1 (y\n");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 77);
  EXPECT_EQ(stat->start_time_ticks, 123456U);
}

TEST(ProcessInfo, BrokenStatIsAnErrorNotACrash) {
  for (const auto* text : {"", "(", ")", ")(", "1 (a", "1 (a)", "1 (a) R 1"})
    EXPECT_FALSE(parse_stat(text)) << text;
}

TEST(ProcessInfo, I7_AHostileNameOfOurOwnReadsBackAsData) {
  ASSERT_EQ(::prctl(PR_SET_NAME, ") R 1 1 (\x1b"), 0);
  const auto stat = read_stat(::getpid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->parent, ::getppid());
  EXPECT_EQ(stat->comm, ") R 1 1 (\x1b");
}

TEST(ProcessInfo, StatusIgnoresKeysInsideOfTheName) {
  const auto status = parse_status(
      "Name:\tx\\nTgid:\t1\nTgid:\t42\nUid:\t0\t0\t0\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  EXPECT_EQ(status.thread_group, 42);
  EXPECT_EQ(status.uid, "0\t0\t0\t0");
  EXPECT_EQ(status.no_new_privileges, 1);
  EXPECT_EQ(status.seccomp, 2);
  EXPECT_EQ(status.own_thread, 0) << "an older kernel says nothing of it";
}

TEST(ProcessInfo, AThreadKnowsItselfByItsInnermostNumber) {
  const auto status = parse_status("Tgid:\t812\nNStgid:\t812\t30\t7\nNSpid:\t815\t33\t9\n");
  EXPECT_EQ(status.own_thread_group, 7);
  EXPECT_EQ(status.own_thread, 9);
  const auto outside = parse_status("Tgid:\t812\nNStgid:\t812\nNSpid:\t815\n");
  EXPECT_EQ(outside.own_thread_group, 812);
  EXPECT_EQ(outside.own_thread, 815);
  EXPECT_EQ(read_status(::getpid())->own_thread_group, ::getpid());
}

TEST(ProcessInfo, ThreadsOfAGroupAreNamedByNumberAndStart) {
  std::promise<pid_t> began;
  std::promise<void> end;
  std::thread other([&] {
    began.set_value(::gettid());
    end.get_future().wait();
  });
  const pid_t tid = began.get_future().get();
  const ThreadIdentity self{::getpid(), read_stat(::getpid())->start_time_ticks};
  const ThreadIdentity second{tid, read_stat(tid)->start_time_ticks};
  EXPECT_THAT(read_threads(tid, 16), testing::IsSupersetOf({self, second}))
      << "asked by any of its threads";
  EXPECT_EQ(read_threads(::getpid(), 1).size(), 1U);
  end.set_value();
  other.join();
  EXPECT_THAT(read_threads(::getpid(), 16), testing::Not(testing::Contains(second)));
  EXPECT_TRUE(read_threads(-1, 16).empty());
}

TEST(ProcessInfo, AProcessDescendsFromWhoeverMadeItAndFromNobodyElse) {
  EXPECT_TRUE(descends_from(::getpid(), ::getppid()));
  const auto made = read_descendants(read_stat(::getppid())->parent);
  EXPECT_NE(std::find(made.begin(), made.end(), ::getpid()), made.end()) << "a child's child";
  EXPECT_EQ(read_descendants(::getpid()), std::vector<pid_t>());
  EXPECT_TRUE(descends_from(::getpid(), read_stat(::getppid())->parent));
  EXPECT_FALSE(descends_from(::getpid(), ::getpid()));
  EXPECT_FALSE(descends_from(::getppid(), ::getpid()));
  EXPECT_FALSE(descends_from(1, ::getpid()));
}

}  // namespace
}  // namespace ward
