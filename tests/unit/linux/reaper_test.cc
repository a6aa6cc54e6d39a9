// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/reaper.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>

#include "lib/linux/child_process.h"
#include "tests/support/loop_test.h"

namespace ward {
namespace {

class ReaperTest : public test::LoopTest {
 protected:
  void expect(const std::function<bool()>& holds) { EXPECT_TRUE(run_until(holds)); }
};

TEST_F(ReaperTest, AnExitIsDeliveredWhetherItComesBeforeOrAfterTheWatch) {
  Reaper reaper(loop_);
  ASSERT_TRUE(reaper.start(nullptr, nullptr).has_value());
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", "exit 5"};
  spec.environment = environment_without({});
  auto early = start_child(spec);
  ASSERT_TRUE(early.has_value());
  auto hold = reaper.hold();
  siginfo_t info = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(early->pid), &info, WEXITED | WNOWAIT), 0);
  expect([&] { return ::kill(early->pid, 0) != 0; });  // reaped by nobody's watch, and kept
  std::uint32_t code = 0;
  reaper.watch(early->pid, [&](Exit exit) { code = exit.code(); });
  EXPECT_EQ(code, 0U) << "never from inside watch()";
  expect([&] { return code == 5; });
  hold.reset();

  spec.argv = {"sh", "-c", "kill -9 $$"};
  auto late = start_child(spec);
  ASSERT_TRUE(late.has_value());
  reaper.watch(late->pid, [&](Exit exit) { code = exit.code(); });
  expect([&] { return code == 137; });
  reaper.stop();
}

TEST_F(ReaperTest, AGatedChildWaitsUntilItIsLetGoAndDiesWithItsGate) {
  Reaper reaper(loop_);
  ASSERT_TRUE(reaper.start(nullptr, nullptr).has_value());
  const std::string marker = directory_ / "ran";
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", "echo x > " + marker};
  spec.environment = environment_without({});
  spec.gated = true;
  std::uint32_t code = 1;
  {
    auto dropped = start_child(spec);
    ASSERT_TRUE(dropped.has_value());
    reaper.watch(dropped->pid, [&](Exit exit) { code = exit.code(); });
  }
  expect([&] { return code == kExecFailedStatus; });
  EXPECT_FALSE(std::filesystem::exists(marker));
  auto child = start_child(spec);
  ASSERT_TRUE(child.has_value());
  reaper.watch(child->pid, [&](Exit exit) { code = exit.code(); });
  loop_.poll();
  EXPECT_FALSE(std::filesystem::exists(marker));
  child->gate.open();
  expect([&] { return code == 0; });
  EXPECT_TRUE(std::filesystem::exists(marker));
  reaper.stop();
}

}  // namespace
}  // namespace ward
