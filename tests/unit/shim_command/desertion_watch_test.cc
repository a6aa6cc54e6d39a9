// SPDX-License-Identifier: Apache-2.0
#include "shim/command/desertion_watch.h"

#include "tests/support/loop_test.h"

namespace ward::shim::command {
namespace {

using Clock = DesertionWatch::Clock;
constexpr std::chrono::milliseconds kPatience{40};

class Desertion : public test::LoopTest {
 protected:
  bool used_ = false;
  std::optional<Clock::time_point> alone_since_ = Clock::now();
  int deserted_ = 0;
  DesertionWatch watch_{
      loop_, kPatience, {[this] { return used_; }, [this] { return alone_since_; }}, [this] {
        ++deserted_;
      }};
};

TEST_F(Desertion, AShimThatNobodyUsesAndNobodyIsConnectedToIsLeft) {
  watch_.start();
  EXPECT_TRUE(run_until([&] { return deserted_ != 0; }));
  EXPECT_GE(Clock::now() - *alone_since_, kPatience);
  run_for(3 * kPatience);
  EXPECT_EQ(deserted_, 1);
}

TEST_F(Desertion, ThePatienceBeginsWhenTheLastConnectionEnds) {
  watch_.start();
  alone_since_.reset();
  run_for(3 * kPatience);
  EXPECT_EQ(deserted_, 0) << "somebody is there, and slow";
  alone_since_ = Clock::now();
  EXPECT_TRUE(run_until([&] { return deserted_ != 0; }));
  EXPECT_GE(Clock::now() - *alone_since_, kPatience);
}

TEST_F(Desertion, OneThatWasEverUsedIsNot) {
  used_ = true;
  watch_.start();
  run_for(3 * kPatience);
  EXPECT_EQ(deserted_, 0);
}

}  // namespace
}  // namespace ward::shim::command
