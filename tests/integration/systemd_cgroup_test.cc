// SPDX-License-Identifier: Apache-2.0
// Containers whose cgroup is a scope of systemd (SystemdCgroup, what kubeadm sets up), on a host
// that systemd runs.
#include <fstream>

#include "lib/linux/cgroup_controllers.h"
#include "lib/linux/cgroup_values.h"
#include "tests/integration/guarded_test_base.h"
#include "tests/integration/remains.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SystemdCgroup : public GuardedTest {
 protected:
  static bool is_here() { return fs::exists("/run/systemd/system"); }  // as sd_booted(3) asks
  static void SetUpTestSuite() {
    if (is_here()) GuardedTest::SetUpTestSuite();
  }
  static void TearDownTestSuite() {
    if (is_here()) GuardedTest::TearDownTestSuite();
  }
  void SetUp() override {
    if (!is_here()) GTEST_SKIP() << "this host is not run by systemd";
    GuardedTest::SetUp();
    std::ofstream(config()) << "SystemdCgroup = true\n";
  }

  static fs::path config() { return node().directory() / "systemd.toml"; }
  static std::string scope(const std::string& id) { return node().name() + "-" + id + ".scope"; }
  static std::string start(const std::string& prefix, const std::vector<std::string>& command) {
    std::string id = node().unique(prefix);
    const Output started =
        node().ctr(run_arguments(id,
                                 {"-d", "--runtime-config-path", config().string(), "--cgroup",
                                  "system.slice:" + node().name() + ":" + id},
                                 command));
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static fs::path directory_of(const std::string& id) {
    const auto membership = read_cgroup_membership(node().task_pid(id));
    return membership ? CgroupHierarchies::read()->find("pids", *membership) : fs::path();
  }
  static std::string state_of_scope(const std::string& id) {
    return run({"systemctl", "show", "--property=ActiveState,LoadState", scope(id)}).out;
  }
  static bool scope_is_gone(const std::string& id) {
    return await(
        [&] { return state_of_scope(id).find("LoadState=not-found") != std::string::npos; });
  }
};

TEST_F(SystemdCgroup, AContainerLivesAndEndsInItsScope) {
  const std::string id = start("off", {"/box", "wait"});
  const fs::path directory = directory_of(id);
  EXPECT_EQ(directory.filename(), scope(id));
  EXPECT_EQ(directory.parent_path().filename(), "system.slice");
  EXPECT_THAT(state_of_scope(id), HasSubstr("ActiveState=active"));

  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "exit", "7"}).status, 7);
  EXPECT_EQ(node().ctr({"task", "pause", id}).status, 0);
  EXPECT_EQ(node().task_status(id), "PAUSED");
  EXPECT_EQ(node().ctr({"task", "resume", id}).status, 0);
  const Output metrics = node().ctr({"task", "metrics", id});
  EXPECT_THAT(metrics.out, HasSubstr("pids.current")) << metrics.err;

  containerd::UpdateTaskRequest request;
  request.set_id(id);
  request.mutable_resources()->set_type_url(
      "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources");
  request.mutable_resources()->set_value(R"({"pids":{"limit":55}})");
  const auto updated =
      TaskClient(node().shim_socket(id)).call<containerd::Empty>("Update", request);
  EXPECT_TRUE(updated.has_value()) << updated.error().message;
  EXPECT_EQ(read_cgroup_value(directory / "pids.max"), 55U);
  EXPECT_THAT(run({"systemctl", "show", "--property=TasksMax", scope(id)}).out,
              HasSubstr("TasksMax=55"));

  expect_nothing_is_left_of(node(), id, "in a scope");
  EXPECT_TRUE(scope_is_gone(id)) << state_of_scope(id);
}

TEST_F(SystemdCgroup, AShimThatDiedLeavesNoScope) {
  const std::string id = start("off", {"/box", "wait"});
  ASSERT_TRUE(signal_process(node().shim_pid(id), SIGKILL));
  ASSERT_TRUE(await([&] { return node().task_status(id) != "RUNNING"; }));
  expect_nothing_is_left_of(node(), id, "in a scope, without its shim");
  EXPECT_TRUE(scope_is_gone(id)) << state_of_scope(id);
}

TEST_F(SystemdCgroup, I6_AViolationIsContainedInItsScope) {
  const std::vector<std::string> watched{"/box", "entry", "/trigger", "/box", "wait"};
  const std::string id = start("quarantine", watched);
  node().poke(id, "unshare");
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; })) << node().task_status(id);
  EXPECT_EQ(await_violation(id)["action"], "quarantine");
  expect_nothing_is_left_of(node(), id, "quarantined in a scope");
  EXPECT_TRUE(scope_is_gone(id)) << state_of_scope(id);

  const std::string killed = start("kill", watched);
  node().poke(killed, "unshare");
  EXPECT_TRUE(await([&] { return node().task_status(killed) == "STOPPED"; }))
      << node().task_status(killed);
  expect_nothing_is_left_of(node(), killed, "killed in a scope");
  EXPECT_TRUE(scope_is_gone(killed)) << state_of_scope(killed);
}

}  // namespace
}  // namespace ward::test
