// SPDX-License-Identifier: Apache-2.0
// From what a container does to a profile under which it does the same without a violation.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Learning : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    if (HasFatalFailure()) return;
    const std::string recorder = ward_json({"status"})["recorder"];
    if (recorder.find("none") == 0) GTEST_SKIP() << "this machine cannot record: " << recorder;
  }

  // Reads until "served" as a client in the container's own network namespace; empty where it does
  // not serve.
  static Output request(pid_t pid, const std::vector<std::string>& tail) {
    std::vector<std::string> command{"nsenter", "-t", std::to_string(pid), "-n"};
    command.insert(command.end(), tail.begin(), tail.end());
    return run(command);
  }

  // A server in the foreground, that can be reached in its own network namespace.
  struct Server {
    Server(const std::string& id, const std::string& image, const std::string& hex_port)
        : child(node().ctr_command({"run", "--rm", "--runtime", kWardRuntime,
                                    "docker.io/ward/" + image + ":demo", id}),
                node().environment()) {
      EXPECT_TRUE(await([&] {
        return node().task_status(id) == "RUNNING" || child.wait(std::chrono::milliseconds(0));
      })) << child.err();
      pid = node().task_pid(id);
      EXPECT_EQ(request(pid, {"ip", "link", "set", "lo", "up"}).status, 0);
      const auto listens = [&] {
        std::ifstream table("/proc/" + std::to_string(pid) + "/net/tcp");
        std::stringstream text;
        text << table.rdbuf();
        return text.str().find(":" + hex_port + " 00000000:0000 0A") != std::string::npos;
      };
      EXPECT_TRUE(await(listens)) << child.err();
    }
    Child child;
    pid_t pid = -1;
  };

  // One life of nginx: start, traffic, reload, traffic, graceful stop. Returns its exit status.
  static int live_as_nginx(const std::string& id) {
    Server server(id, "nginx", "0050");
    const pid_t pid = server.pid;
    const auto children = [&] {
      std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) +
                         "/children");
      std::set<std::string> pids;
      for (std::string word; file >> word;) pids.insert(word);
      return pids;
    };
    EXPECT_TRUE(await([&] { return children().size() == 3; }));  // the watcher and two workers
    traffic(pid);
    const std::set<std::string> before = children();
    node().ctr({"task", "kill", "-s", "HUP", id});
    EXPECT_TRUE(await([&] {  // of the old ones only the watcher is still there
      const std::set<std::string> now = children();
      return now.size() == 3 && std::count_if(now.begin(), now.end(), [&](const std::string& p) {
                                  return before.count(p) > 0;
                                }) == 1;
    }));
    traffic(pid);
    node().ctr({"task", "kill", "-s", "QUIT", id});
    return server.child.wait().value_or(-1);
  }

  // One life of redis: start, many commands, a save by a forked process, graceful stop.
  static int live_as_redis(const std::string& id) {
    Server server(id, "redis", "18EB");
    const Output load = request(server.pid, {"redis-benchmark", "--csv", "-n", "5000", "-c", "20",
                                             "-t", "set,get,incr,lpush,lrange_100,mset"});
    EXPECT_EQ(load.status, 0) << load.err;
    EXPECT_THAT(load.out, HasSubstr("\"GET\""));
    // Redis notes who sent a slow command, and on a busy machine any command may be slow: its
    // address is asked for.
    EXPECT_EQ(request(server.pid, {"redis-cli", "client", "list"}).status, 0);
    EXPECT_EQ(request(server.pid, {"redis-cli", "bgsave"}).status, 0);
    EXPECT_TRUE(await([&] {
      const std::string state = request(server.pid, {"redis-cli", "info", "persistence"}).out;
      return state.find("rdb_bgsave_in_progress:0") != std::string::npos &&
             state.find("rdb_last_bgsave_status:ok") != std::string::npos;
    }));
    node().ctr({"task", "kill", "-s", "TERM", id});
    return server.child.wait().value_or(-1);
  }

  // Two lives are recorded and made a profile, and ten more are lived under it.
  static void expect_ten_lives_without_a_violation(const std::string& workload,
                                                   int (*live)(const std::string&)) {
    node().import_image(workload);
    for (int run = 0; run < 2; ++run) EXPECT_EQ(live(node().unique(workload)), 0);
    const std::string file = (node().directory() / (workload + ".yaml")).string();
    const Output generated = node().ward({"profile", "generate", workload, "-o", file});
    ASSERT_EQ(generated.status, 0) << generated.err;
    const Output applied = node().ward({"profile", "apply", file});
    ASSERT_EQ(applied.status, 0) << applied.err;
    for (int run = 0; run < 10; ++run) {
      const std::string id = node().unique(workload);
      EXPECT_EQ(live(id), 0) << id;
      std::string seen;
      for (const Json& event : events(id))
        seen += event["syscall"].get<std::string>() + " " + event["args"].dump() + "\n";
      ASSERT_EQ(seen, "") << "run " << run;
    }
  }

  static void traffic(pid_t pid) {
    for (const char* path : {"/", "/large.html"}) {
      const Output output =
          request(pid, {"wrk", "-t1", "-c16", "-d1s", std::string("http://127.0.0.1") + path});
      EXPECT_EQ(output.status, 0) << output.err;
      EXPECT_THAT(output.out, Not(HasSubstr("Non-2xx")));
      EXPECT_THAT(output.out, Not(HasSubstr("Socket errors")));
    }
  }
};

TEST_F(Learning, I8_ALearningContainerIsNoMoreRestrictedThanWithoutWard) {
  const Output learning = run_box(node().unique("learn"),
                                  {"/box", "attack", "novel", "mkdir", "unshare", "personality"});
  const Output plain =
      run_box(node().unique("off"), {"/box", "attack", "novel", "mkdir", "unshare", "personality"});
  EXPECT_EQ(learning.out, plain.out) << learning.err;
}

TEST_F(Learning, I8_CallsThroughAForeignAbiRunAsWithoutWard) {
  const Output plain = run_box(node().unique("off"), {"/box", "attack", "int80"});
  if (plain.status == 128 + SIGSEGV)
    GTEST_SKIP() << "this kernel has no 32-bit calls (IA32 emulation)";
  const Output learning = run_box(node().unique("learn"), {"/box", "attack", "int80"});
  EXPECT_EQ(learning.status, plain.status) << learning.err;
  EXPECT_EQ(learning.out, plain.out);
}

TEST_F(Learning, ARecordingShowsTheCallsAndWarnsOfWhatIsUnseen) {
  const std::string id = node().unique("learn");
  EXPECT_EQ(run_box(id, {"/box", "attack", "novel"}).status, 0);
  ASSERT_TRUE(await([&] {
    return ward_json({"learn", "list"}).dump().find("\"learned\"") != std::string::npos;
  }));
  const Json recording = ward_json({"learn", "show", "learned"});
  const auto saw = [&](const std::string& name) {
    return std::any_of(recording["syscalls"].begin(), recording["syscalls"].end(),
                       [&](const Json& call) { return call["name"] == name; });
  };
  EXPECT_TRUE(saw("sched_rr_get_interval")) << recording.dump(1);
  EXPECT_TRUE(saw("write"));
  EXPECT_FALSE(saw("pivot_root"))
      << "what runc does before the filter is in force is not the workload's";
  EXPECT_FALSE(recording["coverage"]["reliable"].get<bool>())
      << "one short run is no ground for certainty";
  EXPECT_EQ(recording["lost_events"], 0);
}

TEST_F(Learning, TheDangerSetIsLeftOutOfAGeneratedProfile) {
  EXPECT_EQ(run_box(node().unique("learn"), {"/box", "attack", "unshare"}).status, 0);
  ASSERT_TRUE(await([&] {
    return ward_json({"learn", "show", "learned"}).dump().find("\"unshare\"") != std::string::npos;
  }));
  const Json generated = ward_json({"profile", "generate", "learned"});
  EXPECT_THAT(generated["left_out"].dump(), HasSubstr("unshare"));
  EXPECT_THAT(generated["yaml"].get<std::string>(), Not(HasSubstr("- unshare")));
}

TEST_F(Learning, WhatWasLearnedFromNginxIsEnforcedOnItTenTimesWithoutAViolation) {
  expect_ten_lives_without_a_violation("nginx", live_as_nginx);
}

TEST_F(Learning, WhatWasLearnedFromRedisIsEnforcedOnItTenTimesWithoutAViolation) {
  expect_ten_lives_without_a_violation("redis", live_as_redis);
}

}  // namespace
}  // namespace ward::test
