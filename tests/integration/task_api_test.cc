// SPDX-License-Identifier: Apache-2.0
// The Task service itself, call by call: codes in every state, ids, waits, what does not need the
// runtime. Containers of the test's own are made in the shim of one that containerd knows.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>

#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

class TaskApi : public TaskApiTest {
 protected:
  // Every method that names a container, and its code.
  std::map<std::string, Code> ask_everything(const std::string& id,
                                             const std::string& exec_id = {}) {
    const auto ask = [&](const char* method, auto request) {
      request.set_id(id);
      return code_of(tasks_->call<containerd::Empty>(method, request));
    };
    const auto ask_process = [&](const char* method, auto request) {
      request.set_exec_id(exec_id);
      return ask(method, request);
    };
    containerd::KillRequest kill;  // signal 0 asks only
    containerd::ExecProcessRequest exec;
    exec.set_exec_id("new");
    exec.mutable_spec()->set_type_url("types.containerd.io/opencontainers/runtime-spec/1/Process");
    exec.mutable_spec()->set_value(R"({"args":["/box","true"],"cwd":"/"})");
    containerd::UpdateTaskRequest update;
    update.mutable_resources()->set_type_url(
        "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources");
    update.mutable_resources()->set_value("{}");
    return {{"State", ask_process("State", containerd::StateRequest())},
            {"Kill", ask_process("Kill", kill)},
            {"ResizePty", ask_process("ResizePty", containerd::ResizePtyRequest())},
            {"CloseIO", ask_process("CloseIO", containerd::CloseIORequest())},
            {"Pids", ask("Pids", containerd::PidsRequest())},
            {"Exec", ask("Exec", exec)},
            {"Update", ask("Update", update)},
            {"Connect", ask("Connect", containerd::ConnectRequest())},
            {"Shutdown", ask("Shutdown", containerd::ShutdownRequest())}};
  }
};

TEST_F(TaskApi, AnUnknownContainerIsNotFoundInEveryCallButConnectAndShutdown) {
  for (const auto& [method, code] : ask_everything("nobody")) {
    EXPECT_EQ(code, method == "Connect" || method == "Shutdown" ? Code::kOk : Code::kNotFound)
        << method;
  }
  EXPECT_EQ(tasks_->state("nobody").error().message, "container not created");
  EXPECT_EQ(code_of(tasks_->start("nobody")), Code::kNotFound);
  EXPECT_EQ(code_of(tasks_->remove("nobody")), Code::kNotFound);
  EXPECT_EQ(code_of(tasks_->wait("nobody")), Code::kNotFound);
  containerd::PauseRequest pause;
  pause.set_id("nobody");
  EXPECT_EQ(code_of(tasks_->call<containerd::Empty>("Pause", pause)), Code::kNotFound);
  EXPECT_EQ(code_of(tasks_->call<containerd::Empty>("Resume", pause)), Code::kNotFound);
  EXPECT_EQ(code_of(tasks_->call<containerd::Empty>("NoSuchMethod", pause)), Code::kUnimplemented);
}

TEST_F(TaskApi, ACallInTheWrongStateSaysSoAndChangesNothing) {
  const std::string id = create_box("states").id();
  const auto pause = [&](const char* method) {
    containerd::PauseRequest request;
    request.set_id(id);
    return tasks_->call<containerd::Empty>(method, request);
  };
  // created
  EXPECT_EQ(status(id), containerd::STATUS_CREATED);
  EXPECT_EQ(code_of(pause("Pause")), Code::kFailedPrecondition);
  EXPECT_EQ(pause("Pause").error().message, "cannot pause task in created state");
  EXPECT_EQ(code_of(pause("Resume")), Code::kFailedPrecondition);
  for (const auto& [method, code] : ask_everything(id))
    EXPECT_EQ(code, Code::kOk) << method << " of a created one";
  EXPECT_EQ(code_of(tasks_->start(id, "new")), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->remove(id, "new")), Code::kOk);
  // running
  ASSERT_TRUE(tasks_->start(id).has_value());
  EXPECT_EQ(tasks_->start(id).error().message, "cannot start a running process");
  EXPECT_EQ(code_of(tasks_->start(id)), Code::kFailedPrecondition);
  EXPECT_EQ(tasks_->remove(id).error().message, "cannot delete a running process");
  EXPECT_EQ(code_of(pause("Resume")), Code::kFailedPrecondition);
  for (const auto& [method, code] : ask_everything(id))
    EXPECT_EQ(code, Code::kOk) << method << " of a running one";
  EXPECT_EQ(code_of(tasks_->remove(id, "new")), Code::kOk);
  // paused
  ASSERT_TRUE(pause("Pause").has_value());
  EXPECT_EQ(status(id), containerd::STATUS_PAUSED);
  EXPECT_EQ(code_of(pause("Pause")), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->start(id)), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->remove(id)), Code::kFailedPrecondition);
  for (const auto& [method, code] : ask_everything(id)) {
    EXPECT_EQ(code, method == "Exec" ? Code::kFailedPrecondition : Code::kOk)
        << method << " of a paused one";
  }
  ASSERT_TRUE(pause("Resume").has_value());
  // stopped
  ASSERT_TRUE(tasks_->kill(id, SIGTERM).has_value());
  const auto ended = tasks_->wait(id);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->exit_status(), 42U);
  EXPECT_EQ(status(id), containerd::STATUS_STOPPED);
  EXPECT_EQ(tasks_->state(id)->exit_status(), 42U);
  for (const char* method : {"Pause", "Resume"})
    EXPECT_EQ(code_of(pause(method)), Code::kFailedPrecondition) << method;
  EXPECT_EQ(code_of(tasks_->start(id)), Code::kFailedPrecondition);
  for (const auto& [method, code] : ask_everything(id)) {
    const Code expected = method == "Kill"                         ? Code::kNotFound
                          : method == "Exec" || method == "Update" ? Code::kFailedPrecondition
                                                                   : Code::kOk;
    EXPECT_EQ(code, expected) << method << " of a stopped one";
  }
  EXPECT_EQ(tasks_->wait(id)->exit_status(), 42U) << "a late Wait returns at once";
  const auto deleted = tasks_->remove(id);
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  EXPECT_EQ(deleted->exit_status(), 42U);
  // deleted
  for (const auto& [method, code] : ask_everything(id)) {
    EXPECT_EQ(code, method == "Connect" || method == "Shutdown" ? Code::kOk : Code::kNotFound)
        << method;
  }
  EXPECT_EQ(code_of(tasks_->remove(id)), Code::kNotFound);
}

TEST_F(TaskApi, AnExecSessionHasStatesOfItsOwn) {
  const std::string id = start_box("sessions").id();
  for (const auto& [method, code] : ask_everything(id, "nobody")) {
    const bool of_a_process =
        method == "State" || method == "Kill" || method == "ResizePty" || method == "CloseIO";
    EXPECT_EQ(code == Code::kNotFound, of_a_process) << method;
  }
  EXPECT_EQ(tasks_->state(id, "nobody").error().message, "process does not exist nobody");
  ASSERT_TRUE(tasks_->exec(id, "e1", {"/box", "wait"}).has_value());
  EXPECT_EQ(code_of(tasks_->exec(id, "e1", {"/box", "wait"})), Code::kAlreadyExists);
  EXPECT_THAT(tasks_->exec(id, "e1", {"/box", "wait"}).error().message,
              testing::StartsWith("id e1: already exists"))
      << "the stock shim's words, and then where and what to do";
  EXPECT_EQ(tasks_->kill(id, SIGTERM, "e1").error().message, "process not created");
  EXPECT_EQ(status(id, "e1"), containerd::STATUS_CREATED);
  ASSERT_TRUE(tasks_->start(id, "e1").has_value());
  EXPECT_EQ(code_of(tasks_->start(id, "e1")), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->remove(id, "e1")), Code::kFailedPrecondition);
  EXPECT_EQ(status(id, "e1"), containerd::STATUS_RUNNING);
  const auto state = tasks_->state(id, "e1");
  EXPECT_EQ(state->id(), "e1");
  EXPECT_EQ(state->exec_id(), "e1");
  // Who is who in Pids.
  containerd::PidsRequest pids;
  pids.set_id(id);
  const auto listed = tasks_->call<containerd::PidsResponse>("Pids", pids);
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->processes_size(), 2)
      << "the init and this session; one that was not started is no process";
  for (const auto& process : listed->processes()) {
    containerd::ProcessDetails details;
    ASSERT_TRUE(details.ParseFromString(process.info().value()));
    EXPECT_EQ(details.exec_id(), process.pid() == state->pid() ? "e1" : "");
  }
  ASSERT_TRUE(tasks_->kill(id, SIGKILL, "e1").has_value());
  EXPECT_EQ(tasks_->wait(id, "e1")->exit_status(), 137U);
  EXPECT_EQ(code_of(tasks_->kill(id, SIGKILL, "e1")), Code::kNotFound);
  EXPECT_EQ(tasks_->remove(id, "e1")->exit_status(), 137U);
  EXPECT_EQ(code_of(tasks_->state(id, "e1")), Code::kNotFound);
  ASSERT_TRUE(tasks_->exec(id, "e1", {"/box", "exit", "3"}).has_value()) << "the id is free again";
}

TEST_F(TaskApi, IdsThatAreNoNamesOfFilesAreInvalidAndLeaveNothing) {
  const Bundle& bundle = make_bundle("odd", {"/box", "true"});
  for (const std::string& id :
       {std::string(), std::string("../up"), std::string("a/b"), std::string("."),
        std::string("-rf"), std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string(77, 'a'), std::string("\xc3\xa9"), std::string("\xff\xfe"),
        std::string("x--y")}) {
    auto request = bundle.create_request();
    request.set_id(id);
    EXPECT_EQ(code_of(create(request)), Code::kInvalidArgument) << testing::PrintToString(id);
    EXPECT_EQ(code_of(tasks_->exec(carrier_, id, {"/box", "true"})), Code::kInvalidArgument)
        << testing::PrintToString(id);
  }
  for (const std::string& path :
       {std::string(), std::string("relative"), bundle.path().string() + "/missing"}) {
    auto request = bundle.create_request();
    request.set_bundle(path);
    EXPECT_FALSE(create(request).has_value()) << path;
  }
  EXPECT_TRUE(create(bundle.create_request()).has_value()) << "and the shim still serves";
}

TEST_F(TaskApi, ASecondCreateOfAnIdIsRefusedWhileTheFirstIsOnItsWayAndAfterwards) {
  const Bundle& bundle = make_bundle("twice", {"/box", "wait"});
  std::vector<Code> codes;
  for (int i = 0; i < 2; ++i) {
    tasks_->begin(
        "Create", bundle.create_request(), "v2",
        [&codes](const Result<std::string>& answer) { codes.push_back(code_of(answer)); });
  }
  ASSERT_TRUE(tasks_->run_until([&] { return codes.size() == 2; }));
  EXPECT_THAT(codes, testing::UnorderedElementsAre(Code::kOk, Code::kAlreadyExists));
  EXPECT_EQ(code_of(create(bundle.create_request())), Code::kAlreadyExists);
  ASSERT_TRUE(tasks_->start("twice").has_value()) << "the first one is untouched";
  EXPECT_EQ(status("twice"), containerd::STATUS_RUNNING);
}

TEST_F(TaskApi, SignalsStateAndNumbersNeedNoRuntime) {
  const Bundle& bundle = make_bundle("direct", {"/box", "wait"});
  const auto runtime = make_recording_runtime(bundle.path());
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("direct").has_value());
  ASSERT_TRUE(tasks_->exec("direct", "e1", {"/box", "wait"}).has_value());
  ASSERT_TRUE(tasks_->start("direct", "e1").has_value());
  containerd::PidsRequest pids;
  pids.set_id("direct");
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(status("direct"), containerd::STATUS_RUNNING);
    EXPECT_TRUE(tasks_->call<containerd::StatsResponse>("Stats", pids).has_value());
    EXPECT_EQ(tasks_->call<containerd::PidsResponse>("Pids", pids)->processes_size(), 2);
  }
  ASSERT_TRUE(tasks_->kill("direct", SIGKILL, "e1").has_value());
  EXPECT_EQ(tasks_->wait("direct", "e1")->exit_status(), 137U);
  ASSERT_TRUE(tasks_->kill("direct", SIGTERM).has_value());
  EXPECT_EQ(tasks_->wait("direct")->exit_status(), 42U);
  for (const char* verb : {"kill", "state", "ps", "events"}) {
    EXPECT_THAT(verbs(bundle.path()), testing::Not(testing::Contains(verb)));
  }
}

TEST_F(TaskApi, WhileAPauseHangsTheStateSaysSoAndAKillGoesThrough) {
  const Bundle& bundle = make_bundle("pausing", {"/box", "wait"});
  const auto runtime = make_recording_runtime(bundle.path(), "pause");
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("pausing").has_value());
  containerd::PauseRequest pause;
  pause.set_id("pausing");
  bool answered = false;
  tasks_->begin("Pause", pause, "v2", [&](const Result<std::string>&) { answered = true; });
  ASSERT_TRUE(await([&] { return status("pausing") == containerd::STATUS_PAUSING; }));
  EXPECT_EQ(code_of(tasks_->exec("pausing", "e1", {"/box", "true"})), Code::kFailedPrecondition);
  ASSERT_TRUE(tasks_->kill("pausing", SIGKILL).has_value());
  EXPECT_EQ(tasks_->wait("pausing")->exit_status(), 137U) << "nobody waits for the pause";
  EXPECT_FALSE(answered);
  std::ofstream(bundle.path() / "held") << "go\n";
  EXPECT_TRUE(tasks_->run_until([&] { return answered; }));
  EXPECT_EQ(status("pausing"), containerd::STATUS_STOPPED);
  EXPECT_TRUE(tasks_->remove("pausing").has_value());
}

constexpr char kHostPid[] =
    R"({"linux":{"namespaces":[{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"}]}})";

TEST_F(TaskApi, KillAllReachesEveryProcessOfAContainerInTheHostsPidNamespace) {
  const Bundle& bundle = make_bundle("host-pid", {"/box", "crowd", "4"});
  bundle.patch(kHostPid);
  ASSERT_TRUE(create(bundle.create_request()).has_value());
  ASSERT_TRUE(tasks_->start("host-pid").has_value());
  containerd::PidsRequest pids;
  pids.set_id("host-pid");
  const auto count = [&] {
    return tasks_->call<containerd::PidsResponse>("Pids", pids)->processes_size();
  };
  ASSERT_TRUE(await([&] { return count() == 5; }));
  const auto listed = tasks_->call<containerd::PidsResponse>("Pids", pids);
  ASSERT_TRUE(tasks_->kill("host-pid", SIGKILL, {}, true).has_value());
  EXPECT_EQ(tasks_->wait("host-pid")->exit_status(), 137U);
  for (const auto& process : listed->processes()) {
    EXPECT_TRUE(await([&] { return ::kill(static_cast<pid_t>(process.pid()), 0) != 0; }))
        << process.pid();
  }
}

TEST_F(TaskApi, AThousandWaitsCostLessThanAMebibyteAndAllAreAnswered) {
  const std::string id = start_box("waits").id();
  const pid_t shim = node().shim_pid(carrier_);
  const auto private_kib = [shim] {
    std::istringstream lines(
        read_file("/proc/" + std::to_string(shim) + "/smaps_rollup").value_or(""));
    for (std::string key; lines >> key;) {
      long value = 0;
      if (key == "Private_Dirty:" && lines >> value) return value;
    }
    return 0L;
  };
  const long before = private_kib();
  constexpr int kWaits = 1000;
  int answered = 0;
  containerd::WaitRequest wait;
  wait.set_id(id);
  for (int i = 0; i < kWaits; ++i) {
    tasks_->begin("Wait", wait, i % 2 == 0 ? "v2" : "v3", [&](const Result<std::string>& answer) {
      containerd::WaitResponse response;
      if (answer && response.ParseFromString(*answer) && response.exit_status() == 137) ++answered;
    });
  }
  EXPECT_EQ(status(id), containerd::STATUS_RUNNING)
      << "answered after all the waits that came before it";
  const long after = private_kib();
  std::printf("1000 waits: %ld KiB\n", after - before);
#ifndef __SANITIZE_ADDRESS__  // whose own books cost more than what is measured
  EXPECT_LE(after - before, 1024);
#endif
  ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
  EXPECT_TRUE(tasks_->run_until([&] { return answered == kWaits; })) << answered;
}

TEST_F(TaskApi, ADeleteAnswersTheWaitsOfSessionsThatNeverRan) {
  const std::string id = start_box("orphans").id();
  ASSERT_TRUE(tasks_->exec(id, "never", {"/box", "true"}).has_value());
  bool answered = false;
  containerd::WaitRequest wait;
  wait.set_id(id);
  wait.set_exec_id("never");
  tasks_->begin("Wait", wait, "v2", [&](const Result<std::string>&) { answered = true; });
  ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait(id).has_value());
  ASSERT_TRUE(tasks_->remove(id).has_value());
  EXPECT_TRUE(tasks_->run_until([&] { return answered; }));
}

TEST_F(TaskApi, ABundleOfGarbageIsRefusedAndNothingIsLeft) {
  // What no bundle can be is ours to refuse; what is one and makes no container is the runtime's.
  for (const auto& [text, code] :
       std::vector<std::pair<const char*, Code>>{{"", Code::kInvalidArgument},
                                                 {"{", Code::kInvalidArgument},
                                                 {"[]", Code::kInvalidArgument},
                                                 {"{\"linux\":5}", Code::kInvalidArgument},
                                                 {"{\"process\":{\"args\":\"x\"}}", Code::kUnknown},
                                                 {"{}", Code::kUnknown}}) {
    const Bundle& bundle = make_bundle("garbage", {"/box", "true"});
    std::ofstream(bundle.path() / "config.json") << text;
    const auto created = create(bundle.create_request());
    EXPECT_EQ(code_of(created), code) << text << ": " << message_of(created);
    EXPECT_EQ(code_of(tasks_->state("garbage")), Code::kNotFound);
    bundles_.pop_back();
  }
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
}

}  // namespace
}  // namespace ward::test
