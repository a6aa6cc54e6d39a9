// SPDX-License-Identifier: Apache-2.0
// What survives whose death, and what is left after many lives.
#include <algorithm>
#include <csignal>
#include <filesystem>

#include "tests/integration/node_test_base.h"
#include "tests/integration/remains.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;

// The stock shim leaves the socket of a shim that was killed; ours must not.
void expect_socket_gone(const Node& node, const std::string& id, bool is_ward) {
  if (!is_ward) fs::remove(node.shim_socket(id));
  EXPECT_TRUE(await([&] { return !fs::exists(node.shim_socket(id)); }))
      << "the delete command removes the socket";
}

bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }

class Resilience : public RuntimeTest {
 protected:
  static void restart_containerd(int signal) {
    node().stop_containerd(signal);
    node().start_containerd();
  }
};

TEST_P(Resilience, ARunningContainerSurvivesARestartOfContainerd) {
  const std::string id = start_box("restart", {"/box", "wait"});
  const pid_t pid = node().task_pid(id);
  restart_containerd(SIGTERM);
  EXPECT_EQ(node().task_status(id), "RUNNING");
  EXPECT_EQ(node().task_pid(id), pid);
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "exit", "4"}).status, 4);
  EXPECT_EQ(node().ctr({"task", "kill", "-s", "TERM", id}).status, 0);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  node().remove(id);
}

TEST_P(Resilience, ARunningContainerSurvivesTheKillOfContainerd) {
  const std::string id = start_box("kill9", {"/box", "tick", "0"});
  const pid_t pid = node().task_pid(id);
  restart_containerd(SIGKILL);
  EXPECT_EQ(node().task_pid(id), pid);
  EXPECT_EQ(node().task_status(id), "RUNNING");
  // Its output still goes somewhere: neither SIGPIPE nor the end of file reached it.
  Child attached(node().ctr_command({"task", "attach", id}), node().environment());
  EXPECT_TRUE(attached.await_output("tick ")) << attached.err();
  attached.signal(SIGKILL);
  node().remove(id);
}

TEST_P(Resilience, AnExitWhileContainerdIsAwayIsKnownAfterwards) {
  const std::string id = start_box("away", {"/box", "wait"});
  const pid_t pid = node().task_pid(id);
  node().stop_containerd(SIGKILL);
  signal_process(pid, SIGTERM);
  EXPECT_TRUE(await([&] { return !is_alive(pid); }));
  node().start_containerd();
  EXPECT_EQ(node().task_status(id), "STOPPED");
  EXPECT_EQ(node().ctr({"task", "delete", id}).status, 0);
  node().remove(id);
}

TEST_P(Resilience, TheKillOfAShimEndsItsContainerCleanly) {
  Events events(node());
  const std::string id = start_box("shimless", {"/box", "crowd", "2"});
  const pid_t pid = node().task_pid(id), shim = node().shim_pid(id);
  ASSERT_GT(shim, 0);
  signal_process(shim, SIGKILL);
  EXPECT_TRUE(await([&] { return !is_alive(pid) && node().task_pid(id) == -1; }));
  EXPECT_THAT(events.await(id, "delete"), Contains("exit"));
  EXPECT_TRUE(await(
      [&] { return !fs::exists(node().bundle(id)) && mounts_below(node().bundle(id)).empty(); }));
  expect_socket_gone(node(), id, is_ward());
  node().remove(id);
}

TEST_P(Resilience, AShimThatDiesWhileContainerdIsAwayIsClearedUpOnItsReturn) {
  const std::string id = start_box("both", {"/box", "wait"});
  const pid_t pid = node().task_pid(id), shim = node().shim_pid(id);
  node().stop_containerd(SIGKILL);
  signal_process(shim, SIGKILL);
  EXPECT_TRUE(await([&] { return !is_alive(shim); }));
  node().start_containerd();
  EXPECT_TRUE(await([&] { return !is_alive(pid); }));
  node().remove(id);
  EXPECT_TRUE(await([&] { return !fs::exists(node().bundle(id)); }));
  expect_socket_gone(node(), id, is_ward());
}

TEST_P(Resilience, ManyExecsLeaveNoDescriptorInTheShim) {
  const std::string id = start_box("execs", {"/box", "wait"});
  const pid_t shim = node().shim_pid(id);
  const auto exec = [&](int i) {
    return node()
        .ctr({"task", "exec", "--exec-id", "e" + std::to_string(i), id, "/box", "true"})
        .status;
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(exec(i), 0);
  const long before = open_descriptors(shim);
  for (int i = 3; i < 33; ++i) EXPECT_EQ(exec(i), 0);
  // One connection of containerd may come or go; thirty forgotten pipes may not.
  EXPECT_TRUE(await([&] { return open_descriptors(shim) <= before + 2; }, std::chrono::seconds(5)))
      << before << " before, " << open_descriptors(shim) << " after";
  node().remove(id);
}

TEST_P(Resilience, TwoHundredLivesLeaveNothing) {
  const int lives = is_ward() ? 200 : 10;
  EXPECT_EQ(run_box(node().unique("warm"), {"--rm"}, {"/box", "true"}).status, 0);
  const long before = open_descriptors(node().containerd_pid());
  for (int i = 0; i < lives; ++i) {
    const std::string id = node().unique("life");
    const Output output = run_box(id, {"--rm"}, {"/box", "echo", "life"});
    ASSERT_EQ(output.status, 0) << i << ": " << output.err;
    ASSERT_EQ(output.out, "life\n") << i;
  }
  expect_no_remains(node(), "two hundred lives");
  EXPECT_LE(open_descriptors(node().containerd_pid()), before + 5);
}

INSTANTIATE_TEST_SUITE_P(Runtime, Resilience, testing::ValuesIn(runtimes()), runtime_name);

}  // namespace
}  // namespace ward::test
