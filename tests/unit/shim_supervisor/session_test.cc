// SPDX-License-Identifier: Apache-2.0
// One listener of a real process, and a host that only notes what it is asked and told.
#include "shim/supervisor/session.h"

#include <sys/syscall.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/loop_test.h"
#include "tests/support/notified_child.h"

namespace ward::shim::supervisor {
namespace {

class NotingHost : public SessionHost {
 public:
  [[nodiscard]] Verdict judge(Question question) const override {
    asked = question;
    return verdict;
  }
  [[nodiscard]] bool asks_who_calls(int /*nr*/) const override { return asks; }
  std::int64_t violated(const Violated& violated) override {
    told.push_back("violated by " + violated.exec_id);
    EXPECT_TRUE(violated.listener.deny(violated.call.id, ENOSYS));
    return 0;
  }
  void was_let_run() override { told.emplace_back("let run"); }
  void phase_changed() override { told.emplace_back("phase changed"); }
  void session_ended(std::uint64_t number) override {
    told.push_back("ended " + std::to_string(number));
  }

  Verdict verdict;
  bool asks = false;
  mutable std::optional<Question> asked;
  std::vector<std::string> told;
};

class OneSession : public test::LoopTest {
 protected:
  // The exit status of the child is the errno of its mkdir.
  int run_child() {
    auto child = test::start_notified_child((directory_ / "made").c_str());
    auto listener = SeccompListener::adopt(std::move(child.listener));
    EXPECT_TRUE(listener);
    if (!listener) return -1;
    Session::Subject subject;
    subject.number = 4;
    subject.origin = Origin::kExec;
    subject.exec_id = "x";
    subject.runtime_pid = child_ = child.pid;
    const Session session(loop_, host_, std::move(subject), std::move(*listener));
    EXPECT_TRUE(run_until([&] { return !host_.told.empty() || host_.asked; }));
    const int status = test::exit_status(child.pid);
    EXPECT_TRUE(run_until([&] { return !host_.told.empty() && host_.told.back() == "ended 4"; }));
    return status;
  }

  NotingHost host_;
  pid_t child_ = 0;
};

TEST_F(OneSession, I11_SaysWhoCallsWhereThatMatters) {
  host_.verdict.effect = Effect::kContinue;
  EXPECT_EQ(run_child(), 0);
  EXPECT_FALSE(host_.asked->caller.process);
  host_.told.clear();
  host_.asked.reset();
  host_.asks = true;
  (void)run_child();  // the directory is there already
  EXPECT_EQ(host_.asked->caller.process, static_cast<std::uint32_t>(child_));
  EXPECT_EQ(host_.asked->caller.thread, static_cast<std::uint32_t>(child_));
}

TEST_F(OneSession, LetsRunWhatIsNoViolationAndSaysWhenNobodyIsLeft) {
  host_.verdict.effect = Effect::kContinue;
  EXPECT_EQ(run_child(), 0);
  EXPECT_EQ(host_.told, (std::vector<std::string>{"let run", "ended 4"}));
  ASSERT_TRUE(host_.asked);
  EXPECT_EQ(host_.asked->nr, SYS_mkdir);
  EXPECT_EQ(host_.asked->origin, Origin::kExec);
  EXPECT_EQ(host_.asked->phase, Phase::kRuntime);
}

TEST_F(OneSession, I3_DeniesWhatIsNoViolationByItself) {
  host_.verdict.error_number = EACCES;
  EXPECT_EQ(run_child(), EACCES);
  EXPECT_EQ(host_.told, std::vector<std::string>{"ended 4"});
}

TEST_F(OneSession, LeavesTheAnswerToAViolationToItsHost) {
  host_.verdict.violation = true;
  EXPECT_EQ(run_child(), ENOSYS);
  EXPECT_EQ(host_.told, (std::vector<std::string>{"violated by x", "ended 4"}));
}

}  // namespace
}  // namespace ward::shim::supervisor
