// SPDX-License-Identifier: Apache-2.0
// Many containers, at a time and one after the other.
#include <csignal>
#include <thread>
#include <utility>

#include "tests/integration/guarded_test_base.h"
#include "tests/integration/robustness_test_base.h"

namespace ward::test {
namespace {

// Every other container is enforced, so that wardd has its share of the work.
class ManyLives : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    await_calibration();
    EXPECT_EQ(run_box(node().unique("deny"), {"/box", "true"}).status,
              0);  // what is made once is made now
    expect_no_remains(node(), "warm-up");
    before_ = descriptors();
  }
  // A connection of a client may come or go; one forgotten for each container may not.
  void expect_no_descriptor_is_left() {
    EXPECT_TRUE(
        await([&] { return descriptors().first <= before_.first + 4; }, std::chrono::seconds(10)))
        << "containerd: " << before_.first << " before, " << descriptors().first << " after";
    EXPECT_TRUE(
        await([&] { return descriptors().second <= before_.second + 2; }, std::chrono::seconds(10)))
        << "wardd: " << before_.second << " before, " << descriptors().second << " after";
  }
  static std::string prefix(std::size_t number) { return number % 2 == 0 ? "deny" : "many"; }

 private:
  static std::pair<long, long> descriptors() {
    return {open_descriptors(node().containerd_pid()), open_descriptors(node().wardd_pid())};
  }
  std::pair<long, long> before_;
};

TEST_F(ManyLives, ManyLivesFourAtATimeLeaveNothing) {
  constexpr int kAtATime = 4;
  const int lives = (long_forms() ? 2000 : 200) / kAtATime;
  std::vector<std::vector<std::string>> ids(kAtATime);
  for (auto& own : ids) {
    for (int i = 0; i < lives; ++i) own.push_back(node().unique(prefix(own.size())));
  }
  std::vector<std::thread> lanes;
  for (const auto& own : ids) {
    lanes.emplace_back([&own] {
      for (std::size_t i = 0; i < own.size(); ++i) {
        const int code = static_cast<int>(i % 200);
        const Output output = run_box(own[i], {"/box", "exit", std::to_string(code)});
        EXPECT_EQ(output.status, code) << own[i] << ": " << output.err;
        if (output.status != code) return;
      }
    });
  }
  for (auto& lane : lanes) lane.join();
  expect_no_remains(node(), "many lives");
  expect_no_descriptor_is_left();
}

TEST_F(ManyLives, ManyContainersAcrossAKillOfContainerdLeaveNothing) {
  const int count = long_forms() ? 100 : 10;
  std::vector<std::string> ids;
  std::vector<pid_t> pids;
  for (int i = 0; i < count; ++i) {
    ids.push_back(node().unique(prefix(ids.size() / 2)));
    const Output started = node().ctr(run_arguments(ids.back(), {"-d"}, {"/box", "wait"}));
    ASSERT_EQ(started.status, 0) << started.err;
  }
  for (const auto& id : ids) pids.push_back(node().task_pid(id));
  for (const pid_t pid : pids) ASSERT_GT(pid, 0);
  node().stop_containerd(SIGKILL);
  // Every other one ends while nobody listens.
  for (std::size_t i = 0; i < pids.size(); i += 2) ::kill(pids[i], SIGTERM);
  node().start_containerd();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool ends = i % 2 == 0;
    EXPECT_TRUE(await([&] { return (node().task_status(ids[i]) != "RUNNING") == ends; })) << ids[i];
    if (!ends) {
      EXPECT_EQ(node().task_pid(ids[i]), pids[i]);
    }
  }
  for (const auto& id : ids) node().remove(id);
  expect_no_remains(node(), "a kill of containerd");
  expect_no_descriptor_is_left();
}

}  // namespace
}  // namespace ward::test
