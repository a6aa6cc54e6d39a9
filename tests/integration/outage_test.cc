// SPDX-License-Identifier: Apache-2.0
// containerd stands still, or is away, while containers end.
#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "lib/base/fault.h"
#include "tests/integration/robustness_test_base.h"

namespace ward::test {
namespace {

using testing::Contains;
using testing::ElementsAre;

// A pod, whose one shim has one order of events, and two containers with shims of their own; each
// ends with 42.
struct Crowd {
  std::vector<std::string> pod, alone, all;
  std::vector<pid_t> pids;
};

class Outage : public Robustness {
 protected:
  static Crowd start_crowd() {
    Crowd crowd;
    const std::string group = "io.containerd.runc.v2.group=" + node().unique("pod");
    for (int i = 0; i < 3; ++i)
      crowd.pod.push_back(start_box("member", {"/box", "wait"}, {"--annotation", group}));
    for (int i = 0; i < 2; ++i) crowd.alone.push_back(start_box("alone", {"/box", "wait"}));
    for (const auto* part : {&crowd.pod, &crowd.alone})
      crowd.all.insert(crowd.all.end(), part->begin(), part->end());
    for (const auto& id : crowd.all) crowd.pids.push_back(node().task_pid(id));
    return crowd;
  }
  // One after the other, each reaped by its shim before the next one goes.
  static void end(const Crowd& crowd) {
    for (const pid_t pid : crowd.pids) {
      ASSERT_TRUE(signal_process(pid, SIGTERM));
      EXPECT_TRUE(await([&] { return ::kill(pid, 0) != 0; }))
          << "a shim does not reap while containerd is away";
    }
  }
  // Its length is what is tried: longer than any deadline that a shim could have.
  static void outlast(std::chrono::seconds outage) {
    await([] { return false; }, outage);
  }
  // Deletes them, which is told behind all else, and compares: nothing is missing, nothing is told
  // twice.
  static void expect_to_hear(Events& events, const Crowd& crowd,
                             const std::vector<std::string>& of_pod,
                             const std::vector<std::string>& of_one) {
    for (const auto& id : crowd.all) EXPECT_THAT(events.await(id, "exit"), Contains("exit")) << id;
    for (const auto& id : crowd.all) {
      EXPECT_EQ(node().task_status(id), "STOPPED");
      node().remove(id);
      events.await(id, "delete");
    }
    std::vector<std::string> told = events.all();
    EXPECT_EQ(told.size(), of_pod.size() + crowd.alone.size() * of_one.size()) << events.text();
    EXPECT_EQ(occurrences(events.text(), "\"exit_status\":42"), 2 * crowd.all.size())
        << "of exit and delete";
    for (const auto& id : crowd.alone) {
      EXPECT_EQ(events.of(id), of_one) << id;
      std::erase_if(told, [&](const std::string& what) { return what.rfind(id + " ", 0) == 0; });
    }
    EXPECT_EQ(told, of_pod);
  }
  static void add(std::vector<std::string>& list, const std::vector<std::string>& ids,
                  const char* topic) {
    for (const auto& id : ids) list.push_back(id + " " + topic);
  }

 private:
  static std::size_t occurrences(const std::string& text, const std::string& what) {
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      ++count;
    return count;
  }
};

TEST_F(Outage, OfAContainerdThatStoodStillEachEventIsToldOnceAndInOrder) {
  auto events = std::make_unique<Events>(node());
  const Crowd crowd = start_crowd();
  ASSERT_TRUE(signal_process(node().containerd_pid(), SIGSTOP));
  end(crowd);
  outlast(std::chrono::seconds(long_forms() ? 600 : 12));
  ASSERT_TRUE(signal_process(node().containerd_pid(), SIGCONT));
  std::vector<std::string> of_pod;
  for (const auto& id : crowd.pod) of_pod.insert(of_pod.end(), {id + " create", id + " start"});
  add(of_pod, crowd.pod, "exit");
  add(of_pod, crowd.pod, "delete");
  expect_to_hear(*events, crowd, of_pod, {"create", "start", "exit", "delete"});
  events.reset();  // a process of this node, too
  expect_no_remains(node(), "containerd stood still");
}

// It had the first of each shim's events in its socket when it died, and told nobody.
TEST_F(Outage, OfAContainerdThatDiedEachEventIsToldOnceAndInOrderByTheNext) {
  if (!fault::kEnabled) GTEST_SKIP() << "this build has no fault points (WARD_FAULTS)";
  const Crowd crowd = start_crowd();
  ASSERT_TRUE(signal_process(node().containerd_pid(), SIGSTOP));
  end(crowd);
  node().stop_containerd(SIGKILL);
  outlast(std::chrono::seconds(long_forms() ? 600 : 1));
  // Nothing is told before somebody listens.
  const std::filesystem::path faults = node().directory() / "faults";
  std::ofstream(faults) << "events.before-forward=error(EIO)\n";
  node().start_containerd();
  auto events = std::make_unique<Events>(node());
  std::filesystem::remove(faults);
  std::vector<std::string> of_pod;
  add(of_pod, crowd.pod, "exit");
  add(of_pod, crowd.pod, "delete");
  expect_to_hear(*events, crowd, of_pod, {"exit", "delete"});
  events.reset();
  expect_no_remains(node(), "containerd died");
}

TEST_F(Outage, WhileContainerdStandsStillNothingIsLostAndAFullLogHoldsNobodyUp) {
  auto events = std::make_unique<Events>(node());
  std::vector<std::string> ids;
  std::vector<pid_t> pids;
  for (int i = 0; i < 3; ++i) ids.push_back(start_box("still", {"/box", "wait"}));
  for (const auto& id : ids) pids.push_back(node().task_pid(id));
  for (const pid_t pid : pids) ASSERT_GT(pid, 0);
  ASSERT_TRUE(signal_process(node().containerd_pid(), SIGSTOP));
  for (const auto& id : ids) {  // what a shim has to say finds no room
    const UniqueFd log(
        ::open((node().bundle(id) / "log").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    const std::string line(1023, 'x');
    while (log && ::write(log.get(), (line + "\n").data(), line.size() + 1) > 0) continue;
  }
  for (const pid_t pid : pids) ::kill(pid, SIGTERM);
  const bool ended = await([&] {
    return std::all_of(pids.begin(), pids.end(), [](pid_t pid) { return ::kill(pid, 0) != 0; });
  });
  ::kill(node().containerd_pid(), SIGCONT);
  EXPECT_TRUE(ended) << "a shim does not reap while containerd stands still";
  for (const auto& id : ids) {
    EXPECT_THAT(events->await(id, "exit"), ElementsAre("create", "start", "exit"));
    EXPECT_EQ(node().task_status(id), "STOPPED");
  }
  events.reset();  // a process of this node, too
  for (const auto& id : ids) node().remove(id);
  expect_no_remains(node(), "containerd stood still");
}

}  // namespace
}  // namespace ward::test
