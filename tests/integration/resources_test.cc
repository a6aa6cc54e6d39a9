// SPDX-License-Identifier: Apache-2.0
// Stats, Update and kills for want of memory, on a real containerd. What ctr has no word for goes
// over the shim's own socket.
#include <algorithm>
#include <csignal>
#include <fstream>

#include "containerd/metrics_v1.pb.h"
#include "containerd/metrics_v2.pb.h"
#include "lib/linux/cgroup_controllers.h"
#include "lib/linux/cgroup_values.h"
#include "tests/integration/node_test_base.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class Resources : public RuntimeTest {
 protected:
  static std::filesystem::path directory_of(const std::string& id, const char* controller) {
    const auto hierarchies = CgroupHierarchies::read();
    const auto membership = read_cgroup_membership(node().task_pid(id));
    return hierarchies && membership ? hierarchies->find(controller, *membership)
                                     : std::filesystem::path();
  }
  static bool is_v1() { return !CgroupHierarchies::read()->is_unified(); }
  static TaskClient client(const std::string& id) { return TaskClient(node().shim_socket(id)); }
  static Result<containerd::StatsResponse> stats(const std::string& id,
                                                 const char* version = "v2") {
    containerd::StatsRequest request;
    request.set_id(id);
    return client(id).call<containerd::StatsResponse>("Stats", request, version);
  }
  static Result<containerd::Empty> update(const std::string& id, const std::string& json,
                                          bool typed = true) {
    containerd::UpdateTaskRequest request;
    request.set_id(id);
    request.mutable_resources()->set_type_url(
        typed ? "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"
              : "some.other/Type");
    request.mutable_resources()->set_value(json);
    (*request.mutable_annotations())["who"] = "test";
    return client(id).call<containerd::Empty>("Update", request);
  }
};

TEST_P(Resources, CtrShowsTheMetricsOfARunningAndOfAPausedContainer) {
  // No limit is asked for, so that this runs on a cgroup2 without controllers, too.
  const std::string id = node().unique("metrics");
  const Output started = run_box(id, {"-d", "--cpu-shares", "0"}, {"/box", "crowd", "3"});
  ASSERT_EQ(started.status, 0) << started.err;
  for (const char* state : {"running", "paused"}) {
    const Output metrics = node().ctr({"task", "metrics", id});
    EXPECT_EQ(metrics.status, 0) << state << metrics.err;
    EXPECT_THAT(metrics.out, HasSubstr(is_v1() ? "memory.usage_in_bytes" : "memory.usage"))
        << state;
    EXPECT_THAT(metrics.out, HasSubstr("pids.current")) << state;
    node().ctr({"task", "pause", id});
  }
  node().ctr({"task", "resume", id});
  node().remove(id);
}

TEST_P(Resources, StatsAreWhatTheKernelCounts) {
  const std::string id = start_box("stats", {"/box", "crowd", "3"});
  const auto directory = directory_of(id, "pids");
  ASSERT_TRUE(await([&] { return read_cgroup_value(directory / "pids.current") == 4U; }));
  for (const char* version : {"v2", "v3"}) {
    if (!is_ward() && std::string(version) == "v3") continue;
    const std::string before =
        read_cgroup_text(directory / "cpu.stat");  // of v2: one directory has it all
    const auto answer = stats(id, version);
    ASSERT_TRUE(answer.has_value()) << answer.error().message;
    EXPECT_EQ(answer->stats().type_url(),
              is_v1() ? "io.containerd.cgroups.v1.Metrics" : "io.containerd.cgroups.v2.Metrics");
    if (!is_v1()) {
      const auto used = find_cgroup_key(before, "usage_usec").value_or(0);
      containerd::cgroup2::Metrics metrics;
      ASSERT_TRUE(metrics.ParseFromString(answer->stats().value()));
      EXPECT_EQ(metrics.pids().current(), 4U);
      EXPECT_GT(metrics.memory().usage(), 0U);
      EXPECT_EQ(metrics.memory().usage_limit(), kNoCgroupLimit);
      EXPECT_GT(metrics.cpu().usage_usec(), 0U);
      EXPECT_GE(metrics.cpu().usage_usec(), used);
      EXPECT_LE(
          metrics.cpu().usage_usec(),
          find_cgroup_key(read_cgroup_text(directory / "cpu.stat"), "usage_usec").value_or(0));
      continue;
    }
    containerd::cgroup1::Metrics metrics;
    ASSERT_TRUE(metrics.ParseFromString(answer->stats().value()));
    EXPECT_EQ(metrics.pids().current(), 4U);
    EXPECT_GT(metrics.memory().usage().usage(), 0U);
    EXPECT_GT(metrics.cpu().usage().total(), 0U);
    EXPECT_EQ(metrics.memory().usage().limit(),
              read_cgroup_value(directory_of(id, "memory") / "memory.limit_in_bytes").value_or(0));
  }
  node().remove(id);
}

TEST_P(Resources, StatsOfAnUnknownContainerAreNotFound) {
  const std::string id = start_box("stats-none", {"/box", "wait"});
  containerd::StatsRequest request;
  request.set_id("nobody");
  const auto answer = client(id).call<containerd::StatsResponse>("Stats", request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Code::kNotFound);
  node().remove(id);
}

TEST_P(Resources, AnUpdateIsSeenInTheCgroup) {
  const std::string id = start_box("update", {"/box", "wait"});
  const auto in = [&](const char* controller, const char* v1, const char* v2) {
    return read_cgroup_text(directory_of(id, controller) / (is_v1() ? v1 : v2));
  };
  const auto updated = update(
      id,
      R"({"memory":{"limit":67108864,"swap":null},"cpu":{"shares":512,"quota":50000,"period":100000},)"
      R"("pids":{"limit":77}})");
  ASSERT_TRUE(updated.has_value()) << updated.error().message;
  // runc's own sum makes a weight of v2 out of shares.
  const char* shares = is_v1() ? "512\n" : "20\n";
  EXPECT_EQ(in("memory", "memory.limit_in_bytes", "memory.max"), "67108864\n");
  EXPECT_EQ(in("cpu", "cpu.shares", "cpu.weight"), shares);
  EXPECT_EQ(in("cpu", "cpu.cfs_quota_us", "cpu.max"), is_v1() ? "50000\n" : "50000 100000\n");
  EXPECT_EQ(in("pids", "pids.max", "pids.max"), "77\n");
  // One limit alone leaves the others.
  ASSERT_TRUE(update(id, R"({"memory":{"limit":33554432}})").has_value());
  EXPECT_EQ(in("memory", "memory.limit_in_bytes", "memory.max"), "33554432\n");
  EXPECT_EQ(in("cpu", "cpu.shares", "cpu.weight"), shares);
  node().remove(id);
}

TEST_P(Resources, AnUpdateOfAPausedContainerLeavesItPaused) {
  const std::string id = start_box("update-paused", {"/box", "tick", "0"});
  EXPECT_EQ(node().ctr({"task", "pause", id}).status, 0);
  ASSERT_TRUE(update(id, R"({"pids":{"limit":66}})").has_value());
  EXPECT_EQ(read_cgroup_value(directory_of(id, "pids") / "pids.max"), 66U);
  EXPECT_EQ(node().task_status(id), "PAUSED");
  if (is_v1()) {
    EXPECT_EQ(read_cgroup_text(directory_of(id, "freezer") / "freezer.state"), "FROZEN\n");
  } else {
    EXPECT_EQ(read_cgroup_text(directory_of(id, "pids") / "cgroup.freeze"), "1\n");
  }
  EXPECT_EQ(node().ctr({"task", "resume", id}).status, 0);
  node().remove(id);
}

TEST_P(Resources, AWrongUpdateSaysWhatIsWrong) {
  if (!is_ward()) GTEST_SKIP() << "the stock shim has one code for everything";
  const std::string id = start_box("update-wrong", {"/box", "wait"});
  const auto code = [](const Result<containerd::Empty>& result) {
    return result ? Code::kOk : result.error().code;
  };
  EXPECT_EQ(code(update(id, "{")), Code::kInvalidArgument);
  EXPECT_EQ(code(update(id, R"({"memory":3})")), Code::kInvalidArgument);
  const auto untyped = update(id, "{}", false);
  EXPECT_EQ(code(untyped), Code::kInvalidArgument);
  EXPECT_THAT(untyped.error().message, HasSubstr("some.other/Type"));
  // What the kernel refuses: on v1 a limit below what is in use, on v2 a processor that does not
  // exist.
  const auto impossible =
      update(id, is_v1() ? R"({"memory":{"limit":1}})" : R"({"cpu":{"cpus":"4095"}})");
  ASSERT_FALSE(impossible.has_value());
  EXPECT_THAT(impossible.error().message, HasSubstr("OCI runtime update failed"));
  ASSERT_TRUE(signal_process(node().task_pid(id), SIGKILL));
  ASSERT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  EXPECT_EQ(code(update(id, "{}")), Code::kFailedPrecondition);
  node().remove(id);
}

TEST_P(Resources, AKillForWantOfMemoryIsToldOnceAndBeforeTheEnd) {
  Events events(node());
  const std::string id = node().unique("oom");
  const Output output = run_box(id, {"--memory-limit", "16777216"}, {"/box", "eat", "64"});
  EXPECT_EQ(output.status, 137) << output.out << output.err;
  node().remove(id);
  const auto topics = events.await(id, "delete");
  EXPECT_EQ(std::count(topics.begin(), topics.end(), "oom"), 1) << testing::PrintToString(topics);
  if (is_ward()) {
    EXPECT_THAT(topics, testing::ElementsAre("create", "start", "oom", "exit", "delete"));
  }
}

TEST_P(Resources, AKillInAnExecSessionIsToldAndTheContainerLives) {
  Events events(node());
  const std::string id = node().unique("oom-exec");
  ASSERT_EQ(run_box(id, {"-d", "--memory-limit", "33554432"}, {"/box", "wait"}).status, 0);
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "eat", "64"}).status, 137);
  EXPECT_EQ(node().task_status(id), "RUNNING");
  EXPECT_TRUE(await([&] {
    events.await(id, "exit");
    const auto topics = events.of(id);
    return std::count(topics.begin(), topics.end(), "oom") == 1;
  }));
  node().remove(id);
}

INSTANTIATE_TEST_SUITE_P(Runtime, Resources, testing::ValuesIn(runtimes()), runtime_name);

}  // namespace
}  // namespace ward::test
