// SPDX-License-Identifier: Apache-2.0
// The OCI runtime is killed in the middle of each of its verbs: containerd hears of an error or of
// a success, nobody hangs, what is said of the container afterwards is true, and nothing of it
// stays.
#include <algorithm>
#include <csignal>
#include <fstream>

#include "lib/base/file.h"
#include "lib/linux/cgroup_controllers.h"
#include "tests/integration/node_test_base.h"
#include "tests/integration/remains.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;

// From "has hardly begun" to "has probably ended": each start of runc takes some tens of
// milliseconds.
constexpr int kMoments_ms[] = {0, 4, 8, 12, 18, 25, 40, 80};
constexpr int kHangs = -1;  // of Output::status

class RuntimeDeath : public NodeTest {
 protected:
  static void SetUpTestSuite() {
    NodeTest::SetUpTestSuite();
    const fs::path runtime = node().directory() / "mortal_runtime";
    fs::copy_file(WARD_MORTAL_RUNTIME, runtime);
    std::ofstream(node().config() / "wardd.yaml")
        << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nruntime: {binary: " << runtime.string()
        << "}\n";
    node().start_wardd();
    // It measures the new runtime, twice; what dies below is not to be that.
    await_calibration();
  }
  void TearDown() override { nothing_dies(); }

  static void dies_in(const char* verb, int milliseconds) {
    std::ofstream(node().directory() / "die") << verb << " " << milliseconds << "\n";
  }
  static void nothing_dies() { fs::remove(node().directory() / "die"); }

  static Output run_box(const std::string& id) {
    return node().ctr(
        {"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "echo", "ran"});
  }
  static void expect_it_ran_if_it_says_so(const Output& output, const std::string& when) {
    if (output.status == 0) {
      EXPECT_EQ(output.out, "ran\n") << when;
    }
  }
  static std::string start_box() {
    std::string id = node().unique("mortal");
    const Output started =
        node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, id, "/box", "tick", "0"});
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static void expect_nothing_is_left(const std::string& id, const std::string& when) {
    nothing_dies();
    expect_nothing_is_left_of(node(), id, when);
  }
  static std::ptrdiff_t processes_in(const std::string& id) {
    const std::string table = node().ctr({"task", "ps", id}).out;
    return std::count(table.begin(), table.end(), '\n') - 1;
  }
  static Result<containerd::Empty> update(const std::string& id, int processes) {
    containerd::UpdateTaskRequest request;
    request.set_id(id);
    request.mutable_resources()->set_type_url(
        "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources");
    request.mutable_resources()->set_value("{\"pids\": {\"limit\": " + std::to_string(processes) +
                                           "}}");
    return TaskClient(node().shim_socket(id)).call<containerd::Empty>("Update", request);
  }
  static std::string pids_limit(const std::string& id) {
    const auto hierarchies = CgroupHierarchies::read();
    const auto membership = read_cgroup_membership(node().task_pid(id));
    if (!hierarchies || !membership) return {};
    return read_file(hierarchies->find("pids", *membership) / "pids.max").value_or("");
  }
  static std::string moment(const char* verb, int milliseconds) {
    return std::string(verb) + " killed after " + std::to_string(milliseconds) + " ms";
  }
};

TEST_F(RuntimeDeath, InCreateTheStartFailsAndLeavesNothing) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = node().unique("mortal");
    dies_in("create", milliseconds);
    const Output output = run_box(id);
    EXPECT_NE(output.status, kHangs) << moment("create", milliseconds);
    if (milliseconds == 0) {
      EXPECT_NE(output.status, 0) << output.out;
    }
    expect_it_ran_if_it_says_so(output, moment("create", milliseconds));
    expect_nothing_is_left(id, moment("create", milliseconds));
  }
}

// The shim lets an init of libcontainer go by itself; the verb is left for other runtimes and older
// records.
TEST_F(RuntimeDeath, InStartNothingStays) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = node().unique("mortal");
    dies_in("start", milliseconds);
    const Output output = run_box(id);
    EXPECT_NE(output.status, kHangs) << moment("start", milliseconds);
    expect_it_ran_if_it_says_so(output, moment("start", milliseconds));
    expect_nothing_is_left(id, moment("start", milliseconds));
  }
}

TEST_F(RuntimeDeath, InExecTheSessionFailsAndTheContainerRunsOn) {
  const std::string id = start_box();
  for (const int milliseconds : kMoments_ms) {
    dies_in("exec", milliseconds);
    const std::string session = "e" + std::to_string(milliseconds);
    Child exec(node().ctr_command({"task", "exec", "--exec-id", session, id, "/box", "wait"}),
               node().environment());
    exec.await_output("ready");  // or its end
    nothing_dies();
    if (!exec.wait(std::chrono::seconds(1))) {  // it was made before the runtime could be killed
      EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", "--exec-id", session, id}).status, 0);
    }
    EXPECT_GT(exec.wait().value_or(kHangs), 0) << moment("exec", milliseconds);
    EXPECT_TRUE(await([&] { return processes_in(id) == 1; }, std::chrono::seconds(5)))
        << moment("exec", milliseconds) << " leaves a process behind:\n"
        << node().ctr({"task", "ps", id}).out;
    EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", session, id, "/box", "exit", "3"}).status, 3)
        << moment("exec", milliseconds) << ": its id is free again";
    EXPECT_EQ(node().task_status(id), "RUNNING");
  }
  expect_nothing_is_left(id, "exec");
}

TEST_F(RuntimeDeath, InPauseAndResumeTheContainerIsWhatItIsSaidToBe) {
  const std::string id = start_box();
  Child attached(node().ctr_command({"task", "attach", id}), node().environment());
  EXPECT_TRUE(attached.await_output("tick ")) << attached.err();
  const auto expect_that_it_runs = [&](const std::string& when) {
    EXPECT_EQ(node().task_status(id), "RUNNING") << when;
    EXPECT_TRUE(attached.await_output("tick ", attached.out().size(), std::chrono::seconds(5)))
        << when;
  };
  for (const int milliseconds : kMoments_ms) {
    for (const char* verb : {"pause", "resume"}) {
      if (std::string(verb) == "resume") {
        EXPECT_EQ(node().ctr({"task", "pause", id}).status, 0);
      }
      dies_in(verb, milliseconds);
      const Output output = node().ctr({"task", verb, id});
      EXPECT_NE(output.status, kHangs) << moment(verb, milliseconds);
      nothing_dies();
      if (output.status == 0) {
        EXPECT_EQ(node().task_status(id), std::string(verb) == "pause" ? "PAUSED" : "RUNNING")
            << moment(verb, milliseconds);
      }
      if (node().task_status(id) == "PAUSED") {
        const Output resumed = node().ctr({"task", "resume", id});
        EXPECT_EQ(resumed.status, 0) << moment(verb, milliseconds) << ": " << resumed.err;
      }
      expect_that_it_runs(moment(verb, milliseconds) + ", which ended with " +
                          std::to_string(output.status));
    }
  }
  attached.signal(SIGKILL);
  EXPECT_TRUE(attached.wait());
  expect_nothing_is_left(id, "pause");
}

TEST_F(RuntimeDeath, InKillTheNextKillWorks) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = start_box();
    dies_in("kill", milliseconds);
    const Output output = node().ctr({"task", "kill", "-a", "-s", "KILL", id});
    EXPECT_NE(output.status, kHangs) << moment("kill", milliseconds);
    nothing_dies();
    if (output.status == 0) {
      EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }))
          << moment("kill", milliseconds);
    }
    expect_nothing_is_left(id, moment("kill", milliseconds));
  }
}

TEST_F(RuntimeDeath, InUpdateTheNextUpdateWorks) {
  const std::string id = start_box();
  for (const int milliseconds : kMoments_ms) {
    dies_in("update", milliseconds);
    const auto updated = update(id, 64);
    nothing_dies();
    if (updated) {
      EXPECT_EQ(pids_limit(id), "64\n") << moment("update", milliseconds);
    } else {
      EXPECT_NE(updated.error().code, Code::kDeadlineExceeded) << moment("update", milliseconds);
    }
    EXPECT_EQ(node().task_status(id), "RUNNING") << moment("update", milliseconds);
    const auto next = update(id, 65);
    ASSERT_TRUE(next) << moment("update", milliseconds) << ": " << next.error().message;
    EXPECT_EQ(pids_limit(id), "65\n");
  }
  expect_nothing_is_left(id, "update");
}

// A container that has a cgroup is asked there: a runtime that dies takes nothing away from the
// answer.
TEST_F(RuntimeDeath, InPsTheProcessesAreListedAllTheSame) {
  const std::string id = start_box();
  for (const int milliseconds : kMoments_ms) {
    dies_in("ps", milliseconds);
    const Output listed = node().ctr({"task", "ps", id});
    EXPECT_EQ(listed.status, 0) << moment("ps", milliseconds) << ": " << listed.err;
    EXPECT_EQ(processes_in(id), 1) << moment("ps", milliseconds);
  }
  expect_nothing_is_left(id, "ps");
}

TEST_F(RuntimeDeath, InDeleteTheNextDeleteWorks) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = start_box();
    EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", id}).status, 0);
    ASSERT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
    dies_in("delete", milliseconds);
    const Output output = node().ctr({"task", "delete", id});
    EXPECT_NE(output.status, kHangs) << moment("delete", milliseconds);
    if (output.status == 128 + SIGKILL) {  // ctr ends as the task did
      EXPECT_EQ(node().task_status(id), "") << moment("delete", milliseconds);
    }
    expect_nothing_is_left(id, moment("delete", milliseconds));
  }
}

}  // namespace
}  // namespace ward::test
