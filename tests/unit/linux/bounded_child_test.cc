// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/bounded_child.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace ward {
namespace {

using std::chrono::milliseconds;

Code code_of(const std::function<std::string()>& work, const Bounds& bounds) {
  const auto result = run_in_bounded_child(work, bounds);
  return result ? Code::kOk : result.error().code;
}

TEST(BoundedChild, HandsBackWhatTheWorkSays) {
  EXPECT_EQ(run_in_bounded_child([] { return std::string("said\0so", 7); }, Bounds{}).value(),
            std::string("said\0so", 7));
}

TEST(BoundedChild, H03_WorkWithoutAnEndIsEndedByTheProcessorTimeItSpends) {
  volatile bool goes_on = true;
  const auto forever = [&] {
    while (goes_on) {
    }
    return std::string();
  };
  // However little of the processor it gets.
  EXPECT_EQ(
      code_of(forever, {.processor_time = milliseconds(50), .wall_time = milliseconds(60'000)}),
      Code::kDeadlineExceeded);
}

TEST(BoundedChild, WorkThatDidNotGetItsTimeMayBeAskedForAgain) {
  const auto waits = [] {
    ::pause();
    return std::string();
  };
  const auto result = run_in_bounded_child(waits, {.wall_time = milliseconds(50)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnavailable);
  EXPECT_NE(result.error().message.find("the node is busy"), std::string::npos)
      << result.error().message;
}

TEST(BoundedChild, WhatIsTooLargeOrDiesIsSaid) {
  EXPECT_EQ(code_of([] { return std::string(200, 'x'); }, {.result_bytes = 100}),
            Code::kResourceExhausted);
  EXPECT_EQ(code_of([]() -> std::string { ::_exit(3); }, Bounds{}), Code::kInternal);
}

}  // namespace
}  // namespace ward
