// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/process_info.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace ward {
namespace {

constexpr std::string_view kFields =
    " S 77 1 1 0 -1 4194560 100 200 0 0 1 2 3 4 20 0 1 0 123456 5000 100 18446744073709551615 1 2 140000000001 0 0 0 0 "
    "0";

TEST(ProcessInfo, I7_StatIsParsedFromTheLastParenthesis) {
  const auto stat = parse_stat("42 (x) R 1 1 (y\n)" + std::string(kFields));
  ASSERT_TRUE(stat) << stat.error().message;
  EXPECT_EQ(stat->pid, 42);
  EXPECT_EQ(stat->comm, "x) R 1 1 (y\n");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 77);
  EXPECT_EQ(stat->start_time_ticks, 123456U);
  EXPECT_EQ(stat->start_stack, 140000000001U);
}

TEST(ProcessInfo, BrokenStatIsAnErrorNotACrash) {
  for (const auto* text : {"", "(", ")", ")(", "1 (a", "1 (a)", "1 (a) R 1"}) EXPECT_FALSE(parse_stat(text)) << text;
}

TEST(ProcessInfo, I7_AHostileNameOfOurOwnReadsBackAsData) {
  ASSERT_EQ(::prctl(PR_SET_NAME, ") R 1 1 (\x1b"), 0);
  const auto stat = read_stat(::getpid());
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->parent, ::getppid());
  EXPECT_EQ(stat->comm, ") R 1 1 (\x1b");
}

TEST(ProcessInfo, StatusIgnoresKeysInsideOfTheName) {
  const auto status = parse_status("Name:\tx\\nTgid:\t1\nTgid:\t42\nUid:\t0\t0\t0\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  EXPECT_EQ(status.thread_group, 42);
  EXPECT_EQ(status.uid, "0\t0\t0\t0");
  EXPECT_EQ(status.no_new_privileges, 1);
  EXPECT_EQ(status.seccomp, 2);
}

TEST(ProcessInfo, TheImageOfATaskIsItsFileAndItsStack) {
  const auto image = read_image(::getpid());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_NE(image->inode, 0U);
  EXPECT_NE(image->start_stack, 0U);
  EXPECT_EQ(*image, *read_image(::getpid()));
}

}  // namespace
}  // namespace ward
