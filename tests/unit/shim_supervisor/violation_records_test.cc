// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/violation_records.h"

#include <optional>
#include <vector>

#include "lib/base/clock.h"
#include "shim/supervisor/record.h"
#include "tests/support/loop_test.h"

namespace ward::shim::supervisor {
namespace {

class Recorded : public test::LoopTest {
 protected:
  void SetUp() override {
    LoopTest::SetUp();
    charge_.identity.set_container_id("c1");
    charge_.profile_name = "web";
    charge_.profile_digest = "d1";
    callbacks_.count = [this] { ++counted_; };
    callbacks_.report = [this](node::v1::Violation violation) {
      reported_.push_back(std::move(violation));
    };
    callbacks_.changed = [this] { ++changed_; };
    records_.emplace(loop_, charge_, callbacks_);
  }

  bool wants(pid_t tid, int nr) {
    return records_->wants_detail({tid, nr, {}}, {}, monotonic_ns());
  }

  Charge charge_;
  SupervisorCallbacks callbacks_;
  int counted_ = 0;
  int changed_ = 0;
  std::vector<node::v1::Violation> reported_;
  std::optional<ViolationRecords> records_;
};

TEST_F(Recorded, I4_EveryViolationIsCountedAtOnceForTheFileAndForPeople) {
  records_->count_violation();
  records_->count_continued();
  records_->count_violation();
  EXPECT_EQ(counted_, 2);
  EXPECT_EQ(records_->counts().violations, 2U);
  EXPECT_EQ(records_->counts().continued, 1U);
}

TEST_F(Recorded, I4_WhatIsFoldedIsToldByATimer) {
  EXPECT_TRUE(wants(7, kEndedCall));
  EXPECT_FALSE(wants(7, kEndedCall));
  EXPECT_FALSE(wants(7, kEndedCall));
  EXPECT_EQ(changed_, 0) << "once a second, not for each";
  ASSERT_TRUE(run_until([&] { return changed_ > 0 && !reported_.empty(); }));
  run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(changed_, 1);
  ASSERT_EQ(reported_.size(), 1U);
  EXPECT_EQ(reported_[0].repeats(), 1U) << "two: itself, and one repeat";
  EXPECT_EQ(reported_[0].outcome(), "killed");
  EXPECT_EQ(reported_[0].identity().container_id(), "c1");
  EXPECT_EQ(reported_[0].profile_name(), "web");
  EXPECT_EQ(reported_[0].profile_digest(), "d1");
}

TEST_F(Recorded, I4_WhatIsFoldedIsToldAtTheEnd) {
  for (pid_t tid = 1; tid <= 12; ++tid) wants(tid, 272);
  EXPECT_TRUE(reported_.empty());
  records_->report_summaries(false);
  EXPECT_TRUE(reported_.empty()) << "its minute is not over";
  records_->report_summaries(true);
  ASSERT_EQ(reported_.size(), 1U);
  EXPECT_EQ(reported_[0].repeats(), 1U);
  EXPECT_NE(reported_[0].reason().find("2 calls of this number without records of their own"),
            std::string::npos)
      << reported_[0].reason();
}

TEST_F(Recorded, NobodyIsToldAfterItsEnd) {
  wants(7, 272);
  wants(7, 272);
  records_.reset();
  loop_.run();  // the timers are gone with it
  EXPECT_EQ(changed_, 0);
  EXPECT_TRUE(reported_.empty());
}

TEST_F(Recorded, AnEndThatTwoTellOfIsNewsOnce) {
  const EndedProcess process{.pid = 12, .start_ticks = 900};
  EXPECT_TRUE(records_->is_news(process));
  EXPECT_FALSE(records_->is_news(process));
  EXPECT_TRUE(records_->is_news({.pid = 12, .start_ticks = 901})) << "another of this number";
  EXPECT_TRUE(records_->is_news({.pid = 12}));
  EXPECT_TRUE(records_->is_news({.pid = 12})) << "without a start time nobody knows";
  for (std::uint64_t i = 0; i < 256; ++i) records_->is_news({.pid = 13, .start_ticks = 1 + i});
  EXPECT_TRUE(records_->is_news(process)) << "the oldest is forgotten";
}

}  // namespace
}  // namespace ward::shim::supervisor
