// SPDX-License-Identifier: Apache-2.0
// The OCI runtime is killed in the middle of each of its verbs: containerd hears of an error or of a success, nobody
// hangs, what is said of the container afterwards is true, and nothing of it stays.
#include <algorithm>
#include <csignal>
#include <fstream>

#include "tests/integration/node_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

// From "has hardly begun" to "has probably ended": each start of runc takes some tens of milliseconds.
constexpr int kMoments_ms[] = {0, 4, 8, 12, 18, 25, 40, 80};

class RuntimeDeath : public NodeTest {
 protected:
  static void SetUpTestSuite() {
    NodeTest::SetUpTestSuite();
    const fs::path runtime = node().directory() / "mortal_runtime";
    fs::copy_file(WARD_MORTAL_RUNTIME, runtime);
    std::ofstream(node().config() / "wardd.yaml")
        << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nruntime: {binary: " << runtime.string() << "}\n";
    node().start_wardd();
    // It measures the new runtime, twice; what dies below is not to be that.
    await([] {
      const std::string said = node().ward({"status"}).out;
      return said.find("noNewPrivileges") != std::string::npos || said.find("calibration") != std::string::npos;
    });
  }
  void TearDown() override { nothing_dies(); }

  static void dies_in(const char* verb, int milliseconds) {
    std::ofstream(node().directory() / "die") << verb << " " << milliseconds << "\n";
  }
  static void nothing_dies() { fs::remove(node().directory() / "die"); }

  static std::string start_box() {
    std::string id = node().unique("mortal");
    const Output started = node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, id, "/box", "tick", "0"});
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  // Everything of containers: what belongs to containerd and wardd themselves is not counted.
  static std::vector<std::string> remains() {
    std::vector<std::string> left = node().leftovers();
    std::erase_if(left, [](const std::string& what) { return what.find(" containerd -c ") != std::string::npos; });
    std::erase_if(left, [](const std::string& what) { return what.find("/wardd ") != std::string::npos; });
    return left;
  }
  static void expect_nothing_is_left(const std::string& id, const std::string& when) {
    nothing_dies();
    node().remove(id);
    EXPECT_TRUE(await([&] { return remains().empty() && !fs::exists(node().bundle(id)); }, std::chrono::seconds(10)));
    EXPECT_THAT(remains(), IsEmpty()) << when;
    EXPECT_FALSE(fs::exists(node().bundle(id))) << when;
    EXPECT_FALSE(fs::exists("/run/containerd/runc/" + node().name() + "/" + id)) << when;
  }
  static std::ptrdiff_t processes_in(const std::string& id) {
    const std::string table = node().ctr({"task", "ps", id}).out;
    return std::count(table.begin(), table.end(), '\n') - 1;
  }
  static std::string moment(const char* verb, int milliseconds) {
    return std::string(verb) + " killed after " + std::to_string(milliseconds) + " ms";
  }
};

TEST_F(RuntimeDeath, InCreateTheStartFailsAndLeavesNothing) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = node().unique("mortal");
    dies_in("create", milliseconds);
    const Output output = node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "true"});
    if (milliseconds == 0) {
      EXPECT_NE(output.status, 0) << output.out;
    }
    expect_nothing_is_left(id, moment("create", milliseconds));
  }
}

// The shim lets an init of libcontainer go by itself; the verb is left for other runtimes and older records.
TEST_F(RuntimeDeath, InStartNothingStays) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = node().unique("mortal");
    dies_in("start", milliseconds);
    node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "true"});
    expect_nothing_is_left(id, moment("start", milliseconds));
  }
}

TEST_F(RuntimeDeath, InExecTheSessionFailsAndTheContainerRunsOn) {
  const std::string id = start_box();
  for (const int milliseconds : kMoments_ms) {
    dies_in("exec", milliseconds);
    const std::string session = "e" + std::to_string(milliseconds);
    Child exec(node().ctr_command({"task", "exec", "--exec-id", session, id, "/box", "wait"}), node().environment());
    exec.await_output("ready");  // or its end
    nothing_dies();
    if (!exec.wait(std::chrono::seconds(1))) {  // it was made before the runtime could be killed
      EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", "--exec-id", session, id}).status, 0);
    }
    EXPECT_GT(exec.wait().value_or(-1), 0) << moment("exec", milliseconds);
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
    EXPECT_TRUE(attached.await_output("tick ", attached.out().size(), std::chrono::seconds(5))) << when;
  };
  for (const int milliseconds : kMoments_ms) {
    for (const char* verb : {"pause", "resume"}) {
      if (std::string(verb) == "resume") {
        EXPECT_EQ(node().ctr({"task", "pause", id}).status, 0);
      }
      dies_in(verb, milliseconds);
      const Output output = node().ctr({"task", verb, id});
      nothing_dies();
      if (node().task_status(id) == "PAUSED") {
        const Output resumed = node().ctr({"task", "resume", id});
        EXPECT_EQ(resumed.status, 0) << moment(verb, milliseconds) << ": " << resumed.err;
      }
      expect_that_it_runs(moment(verb, milliseconds) + ", which ended with " + std::to_string(output.status));
    }
  }
  attached.signal(SIGKILL);
  expect_nothing_is_left(id, "pause");
}

TEST_F(RuntimeDeath, InKillTheNextKillWorks) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = start_box();
    dies_in("kill", milliseconds);
    node().ctr({"task", "kill", "-a", "-s", "KILL", id});
    expect_nothing_is_left(id, moment("kill", milliseconds));
  }
}

TEST_F(RuntimeDeath, InDeleteTheNextDeleteWorks) {
  for (const int milliseconds : kMoments_ms) {
    const std::string id = start_box();
    EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", id}).status, 0);
    ASSERT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
    dies_in("delete", milliseconds);
    node().ctr({"task", "delete", id});
    expect_nothing_is_left(id, moment("delete", milliseconds));
  }
}

}  // namespace
}  // namespace ward::test
