// SPDX-License-Identifier: Apache-2.0
// What is done about a notified call of a real process that has no cgroup of its own. Containers
// that have one are in tests/supervisor.
#include "shim/supervisor/remediation.h"

#include <sys/syscall.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "shim/supervisor/containment.h"
#include "tests/support/loop_test.h"
#include "tests/support/notified_child.h"

namespace ward::shim::supervisor {
namespace {

class Remedied : public test::LoopTest {
 protected:
  void SetUp() override {
    LoopTest::SetUp();
    charge_.profile_name = "web";
    charge_.evidence_root = "/dev/null/none";
    charge_.actions.escalate_after = 3;
    charge_.actions.escalate_window_ns = 60'000'000'000;
    callbacks_.count = [] {};
    callbacks_.changed = [] {};
    callbacks_.report = [this](node::v1::Violation violation) {
      done_.push_back(waits() ? "reported before the answer" : "reported");
      reported_.push_back(std::move(violation));
    };
    callbacks_.frozen_changed = [](bool) { ADD_FAILURE(); };
    callbacks_.kill_all = [this] {
      done_.push_back(waits() ? "killed before the answer" : "killed");
    };
  }

  // A child asks for mkdir, and the verdict is carried out. Its exit status is the call's errno.
  int carry_out(const Verdict& verdict, Origin origin = Origin::kWorkload) {
    auto child = test::start_notified_child((directory_ / "made").c_str());
    auto listener = SeccompListener::adopt(std::move(child.listener));
    EXPECT_TRUE(listener);
    if (!listener) return -1;
    call_ = test::next(*listener);
    EXPECT_TRUE(call_);
    if (!call_) return -1;
    listener_ = &*listener;
    const std::string exec_id = origin == Origin::kExec ? "x" : "";
    const std::string newer_program;
    remediation_.carry_out({*listener, *call_, verdict, Phase::kServing, origin, exec_id,
                            monotonic_ns(), newer_program});
    EXPECT_FALSE(waits()) << "every call is answered";
    listener_ = nullptr;
    return test::exit_status(child.pid);
  }

  static Verdict verdict(Effect effect, Action action) {
    Verdict made;
    made.violation = true;
    made.effect = effect;
    made.action = action;
    return made;
  }

  [[nodiscard]] bool waits() const {
    return listener_ != nullptr && listener_->is_valid(call_->id);
  }
  [[nodiscard]] bool made() const { return std::filesystem::exists(directory_ / "made"); }

  Charge charge_;
  SupervisorCallbacks callbacks_;
  std::unique_ptr<Containment> containment_;
  ViolationRecords records_{loop_, charge_, callbacks_};
  Remediation remediation_{loop_, charge_, callbacks_, containment_, records_};
  SeccompListener* listener_ = nullptr;
  std::optional<Notification> call_;
  std::vector<std::string> done_;  // in order
  std::vector<node::v1::Violation> reported_;
};

TEST_F(Remedied, I3_ADeniedCallIsAnsweredAndThenReported) {
  Verdict denial = verdict(Effect::kDeny, Action::kDeny);
  denial.error_number = ENOSYS;
  EXPECT_EQ(carry_out(denial), ENOSYS);
  EXPECT_FALSE(made());
  EXPECT_EQ(done_, std::vector<std::string>{"reported"});
  EXPECT_EQ(reported_.at(0).outcome(), "denied");
  EXPECT_EQ(reported_.at(0).syscall(), "mkdir");
  EXPECT_NE(reported_.at(0).pid(), 0);
  EXPECT_GT(reported_.at(0).answered_ns(), 0U);
  EXPECT_EQ(remediation_.recent_denials(), 1U);
}

TEST_F(Remedied, OnlyDenialsOfTheWorkloadCountTowardsAnEscalation) {
  EXPECT_EQ(carry_out(verdict(Effect::kDeny, Action::kDeny), Origin::kExec), EPERM);
  Verdict newer = verdict(Effect::kDeny, Action::kDeny);
  newer.why = Why::kNewerThanProfile;
  EXPECT_EQ(carry_out(newer), EPERM);
  EXPECT_EQ(remediation_.recent_denials(), 0U);
}

TEST_F(Remedied, ACallThatIsLetRunRunsAndIsCounted) {
  EXPECT_EQ(carry_out(verdict(Effect::kContinue, Action::kLog)), 0);
  EXPECT_TRUE(made());
  EXPECT_EQ(reported_.at(0).outcome(), "continued");
  EXPECT_EQ(records_.counts().continued, 1U);
}

TEST_F(Remedied, TheKillComesBeforeTheAnswer) {
  EXPECT_EQ(carry_out(verdict(Effect::kKill, Action::kKill)), EPERM);
  EXPECT_FALSE(made());
  ASSERT_FALSE(done_.empty());
  EXPECT_EQ(done_[0], "killed before the answer");
  ASSERT_EQ(reported_.size(), 1U);
  EXPECT_EQ(reported_[0].action(), node::v1::ACTION_KILL);
  EXPECT_EQ(remediation_.last().note, "killed: mkdir is not in profile web");
}

TEST_F(Remedied, WhatCannotBeQuarantinedIsKilled) {
  EXPECT_EQ(carry_out(verdict(Effect::kQuarantine, Action::kQuarantine)), EPERM);
  EXPECT_FALSE(made());
  ASSERT_FALSE(done_.empty());
  EXPECT_EQ(done_[0], "killed before the answer");
  ASSERT_EQ(reported_.size(), 1U);
  EXPECT_EQ(reported_[0].action(), node::v1::ACTION_KILL);
  EXPECT_EQ(remediation_.last().quarantined_wall_ns, 0) << "it never was in quarantine";
}

TEST_F(Remedied, F01_ARefusedCallIsReportedOnceForEachKind) {
  Verdict refusal = verdict(Effect::kDeny, Action::kLog);
  refusal.refused = true;
  EXPECT_EQ(carry_out(refusal), EPERM);
  EXPECT_EQ(carry_out(refusal), EPERM);
  ASSERT_EQ(reported_.size(), 1U);
  EXPECT_EQ(reported_[0].outcome(), "refused");
  EXPECT_EQ(remediation_.recent_denials(), 0U);
  records_.report_summaries(true);
  ASSERT_EQ(reported_.size(), 2U);
  EXPECT_EQ(reported_[1].outcome(), "refused");
}

}  // namespace
}  // namespace ward::shim::supervisor
