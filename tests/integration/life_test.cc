// SPDX-License-Identifier: Apache-2.0
// What `learn show` and `generate` say of a container's life is what happened: which signals came
// from where, how it stopped, and what of it was never seen. Nothing is guessed from calls. (F24)
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "tests/integration/guarded_test_base.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kLivesPolicy[] = R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: lives}
spec:
  rules:
    - {match: {containers: ["life-nginx-*"]}, mode: learn, workload: life-nginx}
    - {match: {containers: ["life-*"]}, mode: learn, workload: "{container}"}
)";

class Lives : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    node().write_policy("lives", kLivesPolicy);
    await([] { return node().ward({"status"}).out.find("policies 2,") != std::string::npos; });
  }
  void SetUp() override {
    GuardedTest::SetUp();
    if (HasFatalFailure()) return;
    const std::string recorder = ward_json({"status"})["recorder"];
    if (recorder.find("none") == 0) GTEST_SKIP() << "this machine cannot record: " << recorder;
  }

  // Programs of this machine in the image `box`.
  static std::vector<std::string> with_programs(const std::string& id,
                                                std::vector<std::string> flags,
                                                const std::vector<std::string>& command) {
    for (const char* directory : {"/usr", "/lib", "/lib64", "/bin"}) {
      const std::string source = std::filesystem::canonical(directory);
      flags.insert(flags.end(), {"--mount", "type=bind,src=" + source + ",dst=" + directory +
                                                ",options=rbind:ro"});
    }
    return run_arguments(id, flags, command);
  }
  static std::string start(const std::string& prefix, const std::vector<std::string>& command) {
    std::string id = node().unique(prefix);
    const Output started = node().ctr(with_programs(id, {"-d"}, command));
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static void signal(const std::string& id, const std::string& name) {
    const Output killed = node().ctr({"task", "kill", "-s", name, id});
    EXPECT_EQ(killed.status, 0) << killed.err;
  }
  static void await_end(const std::string& id) {
    EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }))
        << node().task_status(id);
    node().remove(id);
  }
  // The recording once all its runs have ended.
  static Json ended(const std::string& workload, std::size_t runs = 1) {
    Json recording;
    EXPECT_TRUE(await([&] {
      recording = parse_json(node().ward({"-o", "json", "learn", "show", workload}).out);
      if (!recording.is_object() || recording["runs"].size() != runs) return false;
      return std::none_of(recording["runs"].begin(), recording["runs"].end(),
                          [](const Json& run) { return run["ended_wall_ns"] == 0; });
    })) << recording.dump(1)
        << node().ward({"learn", "list"}).out << node().ward({"ps"}).out;
    return recording;
  }
  static std::vector<std::string> seen(const Json& recording) {
    return recording["coverage"]["life_events_seen"];
  }
  static std::vector<std::string> missing(const Json& recording) {
    return recording["coverage"]["life_events_missing"];
  }
  static Json signal_of(const Json& recording, const std::string& name, const std::string& to,
                        const std::string& from) {
    for (const Json& signal : recording["signals"])
      if (signal["name"] == name && signal["to"] == to && signal["from"] == from) return signal;
    return {{"delivered", 0}, {"ignored", 0}};
  }
  // A master with two workers, and box's watcher.
  static std::string start_nginx() {
    std::string id;
    // wardd has a second to tag the runtime. On a busy machine it may miss one, and says so.
    for (int attempt = 0; attempt < 5; ++attempt) {
      id = node().unique("life-nginx");
      const Output started =
          node().ctr({"run", "-d", "--runtime", kWardRuntime, "docker.io/ward/nginx:demo", id});
      EXPECT_EQ(started.status, 0) << started.err;
      Json running;  // what wardd knows of it once it runs
      EXPECT_TRUE(await([&] {
        running = row(id);
        return running.is_object() && running["state"] == "RUNNING";
      }));
      if (running.value("note", "").find("runs unrecorded") == std::string::npos) break;
      node().remove(id);
    }
    const std::string pid = std::to_string(node().task_pid(id));
    EXPECT_TRUE(await([&] {
      std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
      std::size_t count = 0;
      for (std::string word; children >> word;) ++count;
      return count == 3;
    }));
    return id;
  }
};

TEST_F(Lives, F24_AShellLoopStartsAndStopsAndThatIsAll) {
  const std::string id = start(
      "life-loop", {"/bin/dash", "-c", "for i in 1 2 3 4; do /bin/true; cat /dev/null; done"});
  await_end(id);
  const Json recording = ended(id);
  EXPECT_THAT(seen(recording), ElementsAre("start", "exit 0", "stop by itself"))
      << recording.dump(1);
  EXPECT_THAT(missing(recording), ElementsAre("exec", "stop by TERM", "signal INT"))
      << "dash handles INT";
  EXPECT_EQ(recording["runs"][0]["stop"], "by itself");
}

TEST_F(Lives, F24_AReaderOfNetlinkIsNoTraffic) {
  const std::string id = start("life-netlink", {"/bin/ip", "monitor"});
  ASSERT_TRUE(await([&] {
    return node().ward({"-o", "json", "learn", "show", id}).out.find("\"recvmsg\"") !=
           std::string::npos;
  }));
  signal(id, "KILL");
  await_end(id);
  const Json recording = ended(id);
  EXPECT_THAT(seen(recording), ElementsAre("start", "exit 137", "stop by KILL"))
      << recording.dump(1);
  EXPECT_EQ(signal_of(recording, "KILL", "first", "outside")["delivered"], 1);
  const std::string text = node().ward({"learn", "show", id}).out;
  for (const char* guess : {"reload", "traffic", "graceful"})
    EXPECT_THAT(text, Not(HasSubstr(guess)));
  EXPECT_THAT(text, HasSubstr("never seen   exec, stop by TERM\n"));
}

TEST_F(Lives, F24_AReloadIsASignalAndAStopIsBySignal) {
  const std::string id = start("life-python", {"/usr/bin/python3", "-c", R"(
import os, signal, sys
reloads = 0
def reload(number, frame):
    global reloads
    reloads += 1
    os.close(os.open("/usr/lib/os-release", os.O_RDONLY))
signal.signal(signal.SIGHUP, reload)
signal.signal(signal.SIGUSR2, reload)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(reloads))
os.mkdir("/ready")
while True:
    signal.pause()
)"});
  const std::string ready = "/proc/" + std::to_string(node().task_pid(id)) + "/root/ready";
  ASSERT_TRUE(await([&] { return std::filesystem::exists(ready); }));
  signal(id, "HUP");
  signal(id, "USR1");  // which the kernel keeps from a first process without a handler
  EXPECT_EQ(
      node().ctr({"task", "exec", "--exec-id", "e1", id, "/bin/dash", "-c", "kill -HUP 1"}).status,
      0);
  const Json running = ward_json({"learn", "show", id});
  EXPECT_EQ(running["runs"][0]["stop"], "");
  EXPECT_THAT(missing(running), ElementsAre("stop by TERM", "signal INT", "signal USR2"));
  signal(id, "TERM");
  await_end(id);
  const Json recording = ended(id);
  EXPECT_THAT(seen(recording),
              ElementsAre("start", "exec", "exit 2", "signal HUP", "stop by TERM"));
  EXPECT_THAT(missing(recording), ElementsAre("signal INT", "signal USR2"));
  EXPECT_EQ(signal_of(recording, "HUP", "first", "outside")["delivered"], 1);
  EXPECT_EQ(signal_of(recording, "HUP", "first", "exec")["delivered"], 1);
  EXPECT_EQ(signal_of(recording, "USR1", "first", "outside")["ignored"], 1);
  EXPECT_EQ(recording["runs"][0]["exec_sessions"], 1);
  EXPECT_THAT(recording["runs"][0]["stop"].get<std::string>(), HasSubstr("by TERM, "));
}

TEST_F(Lives, F24_ARecordingOverARestartOfWarddKnowsItsEnd) {
  const std::string id =
      start("life-away", {"/bin/dash", "-c", "trap 'exit 5' QUIT; while true; do sleep 0.1; done"});
  ASSERT_TRUE(await([&] {
    return missing(ward_json({"learn", "show", id})) ==
           std::vector<std::string>{"exec", "stop by TERM", "signal INT", "signal QUIT"};
  }));
  node().stop_wardd(SIGKILL);
  signal(id, "QUIT");
  await_end(id);
  node().start_wardd();
  const Json recording = ended(id);
  EXPECT_THAT(seen(recording), ElementsAre("start", "exit 5", "stop by QUIT")) << recording.dump(1);
  EXPECT_EQ(recording["lost_events"], 0);
}

// The runtime is held in a hook, so that it still lives when wardd, which stood still, takes up
// what the shim has given up.
TEST_F(Lives, ARunThatWarddWasTooLateForIsNoRun) {
  const std::string carrier = node().unique("life-carrier");
  ASSERT_EQ(node().ctr(run_arguments(carrier, {"-d"}, {"/box", "wait"})).status, 0);
  ASSERT_TRUE(await([&] { return row(carrier).is_object(); }));  // its shim is connected to wardd
  TaskClient tasks(node().shim_socket(carrier));
  const Bundle late(node(), carrier, node().unique("life-late"), {"/box", "wait"});
  const std::filesystem::path begun = late.path() / "begun", go_on = late.path() / "go-on";
  ASSERT_EQ(::mkfifo(go_on.c_str(), 0600), 0);
  const Json hook = {
      {"path", "/bin/sh"},
      {"args", {"sh", "-c", "touch " + begun.string() + "; timeout 20 cat " + go_on.string()}}};
  late.patch(Json({{"hooks", {{"createRuntime", Json::array({hook})}}}}).dump());

  signal_process(node().wardd_pid(), SIGSTOP);
  bool created = false;
  tasks.begin("Create", late.create_request(), "v2", [&](const Result<std::string>& answer) {
    EXPECT_TRUE(answer) << answer.error().message;
    created = true;
  });
  EXPECT_TRUE(tasks.run_until([&] { return std::filesystem::exists(begun) || created; }));
  signal_process(node().wardd_pid(), SIGCONT);
  std::vector<Json> ended;
  EXPECT_TRUE(await([&] { return !(ended = events(late.id(), "recording-ended")).empty(); }))
      << node().ward({"events", "-c", late.id()}).out;
  if (!ended.empty()) {
    EXPECT_THAT(ended[0]["reason"].get<std::string>(),
                HasSubstr("dropped, for its container had started before it was ready"));
  }
  std::ofstream(go_on) << "on\n";
  EXPECT_TRUE(tasks.run_until([&] { return created; }));
  EXPECT_TRUE(await([&] {
    const Json running = row(late.id());
    return running.is_object() &&
           running.value("note", "").find("runs unrecorded") != std::string::npos;
  })) << node().ward({"ps"}).out;
  EXPECT_THAT(node().ward({"learn", "show", late.id()}).err, HasSubstr("nothing was recorded"));
  EXPECT_TRUE(tasks.kill(late.id(), SIGKILL, {}, true));
  EXPECT_TRUE(tasks.wait(late.id()));
  EXPECT_TRUE(tasks.remove(late.id()));
  node().remove(carrier);
}

TEST_F(Lives, F24_OfNginxThatWasStoppedByQuitItIsSaidThatTermNeverCame) {
  node().import_image("nginx");
  std::size_t lives = 0;
  for (const char* stop : {"QUIT", "QUIT", "TERM"}) {
    const std::string id = start_nginx();
    signal(id, stop);
    await_end(id);
    if (std::string(stop) == "TERM") break;
    const Json quit = ended("life-nginx", ++lives);
    EXPECT_THAT(missing(quit), Contains("stop by TERM"));
    EXPECT_THAT(missing(quit), Contains("signal WINCH")) << "it has a handler for it";
  }
  const Json both = ended("life-nginx", 3);
  EXPECT_THAT(seen(both), ElementsAre("start", "exit 0", "stop by QUIT", "stop by TERM"));
  EXPECT_THAT(missing(both), Not(Contains("stop by TERM")));
  EXPECT_EQ(both["coverage"]["life_events"][2]["times"], 2);
}

TEST_F(Lives, F24_GenerateNamesTheStopThatWasNeverSeen) {
  const std::string box = start(
      "life-quit",
      {"/bin/dash", "-c", "trap 'exit 0' QUIT; mkdir /ready; while true; do sleep 0.1; done"});
  const std::string ready = "/proc/" + std::to_string(node().task_pid(box)) + "/root/ready";
  ASSERT_TRUE(await([&] { return std::filesystem::exists(ready); }));
  signal(box, "QUIT");
  await_end(box);
  ended(box);
  const Json generated = ward_json({"profile", "generate", box});
  EXPECT_THAT(
      generated["warnings"].dump(),
      HasSubstr("never seen of this workload's life: exec, stop by TERM, signal INT (seen: "));
  EXPECT_THAT(generated["yaml"].get<std::string>(), HasSubstr("stop by QUIT (1 time)"));
}

TEST_F(Lives, F24_RedisThatWasSentUsr1GotNone) {
  node().import_image("redis");
  const std::string id = node().unique("life-redis");
  ASSERT_EQ(
      node().ctr({"run", "-d", "--runtime", kWardRuntime, "docker.io/ward/redis:demo", id}).status,
      0);
  ASSERT_TRUE(await([&] {
    return missing(ward_json({"learn", "show", id})) ==
           std::vector<std::string>{"exec", "stop by TERM", "signal INT"};
  }));
  signal(id, "USR1");
  signal(id, "TERM");
  await_end(id);
  const Json recording = ended(id);
  EXPECT_THAT(seen(recording), ElementsAre("start", "exit 0", "stop by TERM")) << recording.dump(1);
  EXPECT_EQ(signal_of(recording, "USR1", "first", "outside")["ignored"], 1);
}

}  // namespace
}  // namespace ward::test
