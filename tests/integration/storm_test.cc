// SPDX-License-Identifier: Apache-2.0
// Storms of short-lived processes.
#include <algorithm>
#include <csignal>
#include <thread>

#include "tests/integration/robustness_test_base.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

TEST_F(Robustness, AStormOfShortLivedChildrenLosesNoExitAndLeavesNoZombie) {
  const std::string children = long_forms() ? "50000" : "3000";
  const std::string id = start_box("storm", {"/box", "wait"});
  std::vector<std::thread> sessions;
  for (int i = 0; i < 3; ++i) {
    sessions.emplace_back([&, i] {
      const Output output = exec_in(id, "s" + std::to_string(i), {"/box", "fork", children});
      EXPECT_EQ(output.out, "forked " + children + "\n") << output.err;
      EXPECT_EQ(output.status, 0);
    });
  }
  for (int i = 0; i < 10; ++i) {
    const Output output = exec_in(id, "e" + std::to_string(i), {"/box", "exit", "9"});
    EXPECT_EQ(output.status, 9) << output.err;
  }
  for (auto& session : sessions) session.join();
  // A session that dies with children of its own: they become the container's init's, or the
  // shim's.
  EXPECT_EQ(exec_in(id, "holder", {"/box", "holder"}).status, 0);
  EXPECT_TRUE(await([&] { return zombies_of(node().name()).empty(); }, std::chrono::seconds(5)));
  expect_nothing_is_left_of(node(), id, "a storm of children");
}

class Storm : public TaskApiTest {
 protected:
  void SetUp() override {
    TaskApiTest::SetUp();
    carriers_cgroups_ = cgroups_of(node().name()).size();
  }
  static std::string output(const std::string& session) {
    return node().directory() / ("output-of-" + session);
  }

  std::size_t carriers_cgroups_ = 0;
};

// In the machine's own pid namespace no init of the container stands between them and the shim.
TEST_F(Storm, OfOrphansIsReapedByTheShimWhichAnswersMeanwhile) {
  constexpr int kSessions = 3, kExecs = 10;
  const std::string children = long_forms() ? "20000" : "1000";
  const Bundle& bundle = make_bundle("orphans", {"/box", "wait"});
  bundle.patch(
      R"({"linux":{"namespaces":[{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"}]}})");
  ASSERT_TRUE(create(bundle.create_request()));
  ASSERT_TRUE(tasks_->start("orphans"));
  int ended = 0;
  for (int i = 0; i < kSessions; ++i) {
    const std::string session = "s" + std::to_string(i);
    containerd::ExecProcessRequest request =
        TaskClient::exec_request("orphans", session, {"/box", "orphans", children});
    request.set_stdout("file://" + output(session));
    ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", request));
    ASSERT_TRUE(tasks_->start("orphans", session));
    containerd::WaitRequest wait;
    wait.set_id("orphans");
    wait.set_exec_id(session);
    tasks_->begin("Wait", wait, "v2", [&ended](const Result<std::string>& answer) {
      containerd::WaitResponse response;
      EXPECT_TRUE(answer && response.ParseFromString(*answer));
      EXPECT_EQ(response.exit_status(), 0U);
      ++ended;
    });
  }
  const std::jthread others([this] {
    TaskClient tasks(node().shim_socket(carrier_));
    for (int i = 0; i < kExecs; ++i) {
      const std::string session = "e" + std::to_string(i);
      EXPECT_TRUE(tasks.exec("orphans", session, {"/box", "exit", "9"}));
      EXPECT_TRUE(tasks.start("orphans", session));
      const auto exit = tasks.wait("orphans", session);
      EXPECT_TRUE(exit && exit->exit_status() == 9U) << session;
    }
  });
  Clock::duration longest{};
  while (ended < kSessions) {
    const auto asked = Clock::now();
    const auto state = tasks_->state("orphans");
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_EQ(state->status(), containerd::STATUS_RUNNING);
    longest = std::max(longest, Clock::now() - asked);
    short_pause();
  }
  EXPECT_LT(longest, std::chrono::seconds(1)) << "until State was answered";
  const std::string adopted = children + " orphans, the last one adopted by " +
                              std::to_string(node().shim_pid(carrier_)) + "\n";
  for (int i = 0; i < kSessions; ++i)
    EXPECT_EQ(read_file(output("s" + std::to_string(i))).value_or(""), adopted);
  EXPECT_TRUE(await([] { return zombies_of(node().name()).empty(); }, std::chrono::seconds(5)))
      << testing::PrintToString(zombies_of(node().name()));
}

TEST_F(Storm, OfForksWithinALimitOfProcessesIsKilledAndDeleted) {
  constexpr int kLimit = 64;
  if (!has_cgroup_file("pids", "pids.max")) GTEST_SKIP() << "no controller of numbers of processes";
  const Bundle& bundle = make_bundle("bomb", {"/box", "bomb"});
  bundle.patch(R"({"linux": {"resources": {"pids": {"limit": )" + std::to_string(kLimit) + "}}}}");
  const auto created = create(bundle.create_request());
  ASSERT_TRUE(created) << created.error().message;
  const auto started = tasks_->start("bomb");
  ASSERT_TRUE(started) << started.error().message;
  containerd::PidsRequest request;
  request.set_id("bomb");
  int processes = 0;
  EXPECT_TRUE(await([&] {
    const auto pids = tasks_->call<containerd::PidsResponse>("Pids", request);
    processes = pids ? pids->processes_size() : -1;
    return processes == kLimit;
  })) << processes;
  EXPECT_EQ(status("bomb"), containerd::STATUS_RUNNING);
  const auto killed = tasks_->kill("bomb", SIGKILL);
  EXPECT_TRUE(killed) << killed.error().message;
  EXPECT_EQ(tasks_->wait("bomb")->exit_status(), 128U + SIGKILL);
  const auto removed = tasks_->remove("bomb");
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(await([&] { return cgroups_of(node().name()).size() == carriers_cgroups_; }))
      << "its cgroups stay";
}

}  // namespace
}  // namespace ward::test
