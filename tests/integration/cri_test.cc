// SPDX-License-Identifier: Apache-2.0
// What a kubelet expects of a runtime, through containerd's CRI plugin.
#include <csignal>
#include <thread>

#include "lib/base/file.h"
#include "lib/linux/cgroup_controllers.h"
#include "lib/linux/cgroup_values.h"
#include "tests/integration/cri_test_base.h"

namespace ward::test {
namespace {

using testing::MatchesRegex;
using testing::StartsWith;

class CriPod : public CriTest {};

TEST_P(CriPod, APodOfThreeContainersHasOneShim) {
  const Pod pod = start_pod("web");
  const std::string one = start(pod, "one", {"/box", "wait"}),
                    two = start(pod, "two", {"/box", "wait"});
  const pid_t shim = node().shim_pid(pod.id);
  ASSERT_NE(shim, -1);
  if (handler() != std::string("runc")) {
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(shim) + "/exe"),
              shim_binary());
  }
  EXPECT_EQ(node().shim_pid(one), -1) << "a shim of its own";
  for (const std::string& id : {one, two})
    EXPECT_EQ(exec(id, {"/box", "echo", "here"}).stdout(), "here\n");
  EXPECT_EQ(namespace_of(node().task_pid(one), "net"), namespace_of(node().task_pid(two), "net"));
  EXPECT_NE(namespace_of(node().task_pid(one), "mnt"), namespace_of(node().task_pid(two), "mnt"));
  EXPECT_THAT(client().pod_status(pod.id)->network().ip(), StartsWith("10.87.0."));
}

TEST_P(CriPod, TheConfiguredRuntimeBinaryIsUsed) {
  if (handler() == std::string("runc")) GTEST_SKIP() << "it has no runtime of another name";
  const bool wrapped = handler() == std::string("ward_as_runc");
  const auto expected =
      node().directory() / "bin" / (wrapped ? kWrappedRuntime : kConfiguredRuntime);
  const Pod pod = start_pod("configured");
  EXPECT_EQ(read_file(node().bundle(pod.id) / "runtime").value_or(""), expected);
  if (!wrapped) return;
  ASSERT_TRUE(client().stop_pod(pod.id));
  ASSERT_TRUE(client().remove_pod(pod.id));
  // A script may do more than its runtime: nothing is done without it.
  const std::string calls = read_file(expected.string() + ".log").value_or("");
  for (const char* verb : {"create", "start", "delete"})
    EXPECT_THAT(calls, testing::ContainsRegex(std::string(" ") + verb + " [^\n]*" + pod.id + "\n"));
}

TEST_P(CriPod, ARemovedPodLeavesNothing) {
  const Pod pod = start_pod("gone");
  const std::string id = start(pod, "main", {"/box", "wait"});
  const std::string socket = node().shim_socket(pod.id);
  EXPECT_TRUE(std::filesystem::exists(socket));
  ASSERT_TRUE(client().stop_pod(pod.id));
  ASSERT_TRUE(client().remove_pod(pod.id));
  EXPECT_TRUE(
      await([&] { return node().shim_pid(pod.id) == -1 && !std::filesystem::exists(socket); }));
  EXPECT_FALSE(std::filesystem::exists(node().bundle(pod.id)));
  EXPECT_FALSE(std::filesystem::exists(node().bundle(id)));
}

TEST_P(CriPod, ExecSyncGivesOutputErrorsAndExitCode) {
  const std::string id = start(start_pod("exec"), "main", {"/box", "wait"});
  const auto both = exec(id, {"/box", "err"});
  EXPECT_EQ(both.stdout(), "to stdout\n");
  EXPECT_EQ(both.stderr(), "to stderr\n");
  EXPECT_EQ(exec(id, {"/box", "exit", "7"}).exit_code(), 7);
  const auto missing = client().exec_sync(id, {"/nothere"});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, testing::ContainsRegex("[Nn]o such file or directory"));
}

TEST_P(CriPod, AnExecSyncThatTakesTooLongIsEnded) {
  const std::string id = start(start_pod("late"), "main", {"/box", "wait"});
  const auto late = client().exec_sync(id, {"/box", "spin"}, std::chrono::seconds(1));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded) << late.error().message;
  EXPECT_EQ(client().container_status(id)->state(), cri::CONTAINER_RUNNING);
  EXPECT_EQ(exec(id, {"/box", "true"}).exit_code(), 0);
}

TEST_P(CriPod, ProbesGoOnAcrossARestartOfContainerd) {
  const std::string id = start(start_pod("probed"), "main", {"/box", "wait"});
  const pid_t pid = node().task_pid(id);
  auto next = Clock::now();
  for (int round = 0; round < 6; ++round) {  // a probe is a matter of time: one each second
    std::this_thread::sleep_until(next);
    next += std::chrono::seconds(1);
    if (round == 3) {
      node().stop_containerd(SIGKILL);
      start_containerd();
    }
    EXPECT_EQ(exec(id, {"/box", "exit", std::to_string(round)}).exit_code(), round);
  }
  EXPECT_EQ(node().task_pid(id), pid) << "the container was not touched";
}

TEST_P(CriPod, LogsHaveTimeStreamAndTag) {
  const Pod pod = start_pod("logs");
  EXPECT_EQ(await_exit(start(pod, "main", {"/box", "err"})).exit_code(), 0);
  const std::string time = "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+[.][0-9]+[^ ]+";
  std::istringstream lines(log_of(pod, "main"));
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);) found.push_back(line);
  EXPECT_THAT(found, testing::UnorderedElementsAre(MatchesRegex(time + " stdout F to stdout"),
                                                   MatchesRegex(time + " stderr F to stderr")));
}

TEST_P(CriPod, ALogGoesOnInItsNewFile) {
  const Pod pod = start_pod("rotated");
  const std::string id = start(pod, "main", {"/box", "tick", "0"});
  ASSERT_TRUE(await([&] { return log_of(pod, "main").find("tick") != std::string::npos; }));
  std::filesystem::rename(pod.config.log_directory() + "/main.log",
                          pod.config.log_directory() + "/main.log.1");
  const auto reopened = client().reopen_log(id);
  EXPECT_TRUE(reopened) << reopened.error().message;
  EXPECT_TRUE(await([&] { return log_of(pod, "main").find("tick") != std::string::npos; }));
}

TEST_P(CriPod, StatsSayWhatAContainerUses) {
  const std::string id = start(start_pod("stats"), "main", {"/box", "spin"});
  cri::ContainerStats stats;
  EXPECT_TRUE(await([&] {
    stats = client().container_stats(id).value_or(cri::ContainerStats());
    return stats.cpu().usage_core_nano_seconds().value() > 10'000'000 &&
           stats.memory().usage_bytes().value() > 0;
  })) << stats.DebugString();
  EXPECT_EQ(stats.attributes().id(), id);
  EXPECT_GT(stats.memory().working_set_bytes().value(), 0U);
}

TEST_P(CriPod, AMemoryLimitCanBeChangedWhileItRuns) {
  const std::string id = start(start_pod("update"), "main", {"/box", "wait"});
  cri::LinuxContainerResources resources;
  resources.set_memory_limit_in_bytes(64 << 20);
  const auto updated = client().update_resources(id, resources);
  EXPECT_TRUE(updated) << updated.error().message;
  const auto hierarchies = CgroupHierarchies::read();
  const auto membership = read_cgroup_membership(node().task_pid(id));
  ASSERT_TRUE(hierarchies && membership);
  const auto memory = hierarchies->find("memory", *membership);
  EXPECT_EQ(read_cgroup_value(memory /
                              (hierarchies->is_unified() ? "memory.max" : "memory.limit_in_bytes")),
            64U << 20U);
}

TEST_P(CriPod, StopAsksAndThenKills) {
  const Pod pod = start_pod("stop");
  const std::string polite = start(pod, "polite", {"/box", "wait"});
  ASSERT_TRUE(await([&] { return log_of(pod, "polite").find("ready") != std::string::npos; }));
  ASSERT_TRUE(client().stop_container(polite, std::chrono::seconds(20)));
  EXPECT_EQ(client().container_status(polite)->exit_code(), 42);

  const std::string deaf =
      start(pod, "deaf", {"/box", "spin"});  // the first process of a container needs a handler
  const auto before = Clock::now();
  ASSERT_TRUE(client().stop_container(deaf, std::chrono::seconds(1)));
  EXPECT_GE(Clock::now() - before, std::chrono::seconds(1));
  EXPECT_EQ(client().container_status(deaf)->exit_code(), 137);
  EXPECT_EQ(client().pod_status(pod.id)->state(), cri::SANDBOX_READY);
}

TEST_P(CriPod, ACrashedContainerIsReplacedInItsPod) {
  const Pod pod = start_pod("crash");
  const std::string other = start(pod, "other", {"/box", "wait"});
  cri::ContainerConfig config = container_config("main", {"/box", "crash"});
  const std::string first = start(pod, config);
  EXPECT_EQ(await_exit(first).exit_code(), 128 + SIGILL);
  config.mutable_metadata()->set_attempt(1);
  config.set_command(1, "wait");
  const std::string second = start(pod, config);
  EXPECT_EQ(client().container_status(second)->state(), cri::CONTAINER_RUNNING);
  EXPECT_TRUE(client().remove_container(first));
  EXPECT_EQ(exec(other, {"/box", "true"}).exit_code(), 0);
  EXPECT_EQ(exec(second, {"/box", "true"}).exit_code(), 0);
}

TEST_P(CriPod, AContainerThatCannotStartSaysWhy) {
  const Pod pod = start_pod("wrong");
  const auto id =
      client().create_container(pod.id, container_config("main", {"/nothere"}), pod.config);
  ASSERT_TRUE(id) << id.error().message;
  const auto started = client().start_container(*id);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, testing::ContainsRegex("[Nn]o such file or directory"));
  const auto status = await_exit(*id);
  EXPECT_EQ(status.reason(), "StartError");
  EXPECT_TRUE(client().remove_container(*id));
}

INSTANTIATE_TEST_SUITE_P(Handler, CriPod, testing::ValuesIn(runtime_handlers()), handler_name);

}  // namespace
}  // namespace ward::test
