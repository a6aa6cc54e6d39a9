// SPDX-License-Identifier: Apache-2.0
// The runtime of an exec session is begun at Exec and waits for Start: what becomes of it where
// Start comes late, never, in another state, or with more than a pipe holds.
#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include "tests/integration/task_api_base.h"
#include "tests/support/await_cgroup.h"
#include "tests/support/node_remains.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;

class EarlyExec : public TaskApiTest {
 protected:
  // What the shim has open, by the kernel's names for it, without their numbers.
  std::vector<std::string> descriptors() const {
    std::vector<std::string> found;
    std::error_code ignored;
    const fs::path own = "/proc/" + std::to_string(node().shim_pid(carrier_)) + "/fd";
    for (const auto& entry : fs::directory_iterator(own, ignored)) {
      const std::string name = fs::read_symlink(entry, ignored).string();
      found.push_back(name.substr(0, name.find('[')));
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  static bool await_waiting(const std::string& session) {
    return await([&] { return waiting(session) == 1; });
  }
  // Runtimes that wait, by the pid file that they will write.
  static std::size_t waiting(const std::string& session) {
    const auto processes = processes_of(node().name());
    return static_cast<std::size_t>(
        std::count_if(processes.begin(), processes.end(), [&](const std::string& process) {
          return process.find(" exec ") != std::string::npos &&
                 process.find("exec-" + session + ".pid") != std::string::npos;
        }));
  }
  static void signal_waiting(const std::string& session, int signal) {
    for (const std::string& process : processes_of(node().name())) {
      if (process.find("exec-" + session + ".pid") != std::string::npos)
        signal_process(std::stoi(process.substr(std::string("process ").size())), signal);
    }
  }
  containerd::ExecProcessRequest request(const std::string& id, const std::string& session,
                                         const std::vector<std::string>& command) {
    auto exec = TaskClient::exec_request(id, session, command);
    exec.set_stdout("file://" + output_);  // for both streams
    return exec;
  }
  void SetUp() override {
    TaskApiTest::SetUp();
    output_ = node().directory() / ("output-of-" + carrier_);
  }
  std::string output() { return read_file(output_).value_or(""); }
  void expect_runs(const std::string& id, const std::string& session, const std::string& out) {
    const auto started = tasks_->start(id, session);
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_EQ(tasks_->wait(id, session)->exit_status(), 0U);
    EXPECT_TRUE(tasks_->remove(id, session));
    EXPECT_EQ(output(), out);
  }
  void pause(const char* method, const std::string& id) {
    containerd::PauseRequest request;
    request.set_id(id);
    EXPECT_TRUE(tasks_->call<containerd::Empty>(method, request)) << method;
  }

  std::string output_;
};

TEST_F(EarlyExec, OneThatIsNeverStartedLeavesNothing) {
  const std::string id = start_box("never").id();
  ASSERT_TRUE(
      tasks_->call<containerd::Empty>("Exec", request(id, "never", {"/box", "echo", "no"})));
  EXPECT_TRUE(await_waiting("never"));
  const auto removed = tasks_->remove(id, "never");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(await([] { return waiting("never") == 0; }));
  EXPECT_EQ(output(), "");
  // The id is free again.
  ASSERT_TRUE(
      tasks_->call<containerd::Empty>("Exec", request(id, "never", {"/box", "echo", "now"})));
  expect_runs(id, "never", "now\n");
}

TEST_F(EarlyExec, OneThatIsStartedLateRunsAllTheSame) {
  const std::string id = start_box("late").id();
  // What the first session opens for all: the watch for memory is there by then, too.
  ASSERT_TRUE(tasks_->exec(id, "first", {"/box", "true"}));
  expect_runs(id, "first", "");
  const auto before = descriptors();
  ASSERT_TRUE(
      tasks_->call<containerd::Empty>("Exec", request(id, "late", {"/box", "echo", "late"})));
  EXPECT_TRUE(await([] { return waiting("late") == 0; })) << "a runtime waits for ever";
  EXPECT_TRUE(await([&] { return descriptors() == before; }))
      << testing::PrintToString(descriptors()) << " instead of " << testing::PrintToString(before);
  expect_runs(id, "late", "late\n");
}

TEST_F(EarlyExec, OfManySessionsFewWaitAndAllRun) {
  const std::string id = start_box("many").id();
  constexpr int kSessions = 8, kMostEarly = 4;
  for (int i = 0; i < kSessions; ++i) {
    const std::string session = "s" + std::to_string(i);
    ASSERT_TRUE(
        tasks_->call<containerd::Empty>("Exec", request(id, session, {"/box", "echo", session})));
    if (i < kMostEarly) {
      EXPECT_TRUE(await_waiting(session)) << session;
    }
  }
  EXPECT_EQ(waiting("s" + std::to_string(kSessions - 1)), 0U);
  std::string all;
  for (int i = kSessions - 1; i >= 0; --i) {
    all += "s" + std::to_string(i) + "\n";
    expect_runs(id, "s" + std::to_string(i), all);
  }
}

TEST_F(EarlyExec, ADocumentLargerThanAPipeGetsThroughWhole) {
  const std::string id = start_box("large").id();
  auto exec = request(id, "large", {"/box", "echo", "fits"});
  exec.mutable_spec()->set_value(R"({"args":["/box","echo","fits"],"cwd":"/","env":["LONG=)" +
                                 std::string(100000, 'x') + R"("]})");
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", exec));
  expect_runs(id, "large", "fits\n");
}

TEST_F(EarlyExec, AContainerPausedInBetweenIsTriedAgainWhenItRuns) {
  const std::string id = start_box("paused").id();
  ASSERT_TRUE(
      tasks_->call<containerd::Empty>("Exec", request(id, "e", {"/box", "echo", "resumed"})));
  pause("Pause", id);
  EXPECT_EQ(code_of(tasks_->start(id, "e")), Code::kFailedPrecondition);
  pause("Resume", id);
  expect_runs(id, "e", "resumed\n");
}

TEST_F(EarlyExec, AContainerThatSomebodyElseFreezesInBetweenIsRefused) {
  const std::string id = start_box("frozen").id();
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", request(id, "e", {"/box", "echo", "no"})));
  ASSERT_TRUE(await_waiting("e"));
  auto cgroups = open_cgroups_of(static_cast<pid_t>(tasks_->state(id)->pid()));
  ASSERT_TRUE(cgroups);
  auto& cgroup = cgroups->freezer ? *cgroups->freezer : *cgroups->unified;
  ASSERT_TRUE(cgroup.request_freeze(true));
  ASSERT_TRUE(await_frozen(cgroup));
  EXPECT_FALSE(tasks_->start(id, "e"));
  ASSERT_TRUE(cgroup.request_freeze(false));
  EXPECT_TRUE(await([] { return waiting("e") == 0; }));
}

TEST_F(EarlyExec, AContainerThatEndsInBetweenTakesItWithIt) {
  const std::string id = start_box("ends").id();
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", request(id, "e", {"/box", "echo", "no"})));
  ASSERT_TRUE(tasks_->kill(id, SIGKILL));
  ASSERT_TRUE(tasks_->wait(id));
  EXPECT_EQ(code_of(tasks_->start(id, "e")), Code::kFailedPrecondition);
  ASSERT_TRUE(tasks_->remove(id));
  EXPECT_TRUE(await([] { return waiting("e") == 0; }));
  EXPECT_EQ(output(), "");
}

TEST_F(EarlyExec, AMissingProgramIsToldAtStart) {
  const std::string id = start_box("missing").id();
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", request(id, "e", {"/no-such-program"})));
  const auto started = tasks_->start(id, "e");
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("no such file"), std::string::npos)
      << started.error().message;
  EXPECT_TRUE(tasks_->remove(id, "e"));
}

TEST_F(EarlyExec, AMissingFifoIsToldAtStart) {
  const std::string id = start_box("fifo").id();
  auto exec = TaskClient::exec_request(id, "e", {"/box", "true"});
  exec.set_stdout("/no/such/fifo");
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", exec));
  const auto started = tasks_->start(id, "e");
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("/no/such/fifo"), std::string::npos)
      << started.error().message;
}

// ctr says that its input has ended only where that was read after its Exec came back, and takes a
// writer that comes and goes for the end of the output.
TEST_F(EarlyExec, TheClientSeesNobodyAtItsFifosBeforeTheStart) {
  const std::string id = start_box("input").id();
  const std::string fifo = node().directory() / ("input-of-" + carrier_);
  const std::string output_fifo = node().directory() / ("error-of-" + carrier_);
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(output_fifo.c_str(), 0600), 0);
  auto exec = TaskClient::exec_request(id, "e", {"/box", "cat"});
  exec.set_stdin(fifo);
  exec.set_stdout(output_fifo);
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", exec));
  ASSERT_TRUE(await_waiting("e"));
  const auto open_writer = [&fifo] {
    return UniqueFd(::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  };
  EXPECT_FALSE(open_writer()) << "somebody reads already";
  const UniqueFd reader(::open(output_fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  char buffer[8];
  EXPECT_EQ(::read(reader.get(), buffer, sizeof(buffer)), 0) << "somebody may write already";
  ASSERT_TRUE(tasks_->start(id, "e"));
  UniqueFd writer = open_writer();
  ASSERT_TRUE(writer);
  EXPECT_EQ(::write(writer.get(), "in\n", 3), 3);
  writer.reset();
  containerd::CloseIORequest close;
  close.set_id(id);
  close.set_exec_id("e");
  close.set_stdin(true);
  EXPECT_TRUE(tasks_->call<containerd::Empty>("CloseIO", close));
  EXPECT_EQ(tasks_->wait(id, "e")->exit_status(), 0U);
  EXPECT_TRUE(tasks_->remove(id, "e"));
  ASSERT_EQ(::read(reader.get(), buffer, sizeof(buffer)), 3);
  EXPECT_EQ(std::string(buffer, 3), "in\n");
}

TEST_F(EarlyExec, TheDeathOfTheShimEndsTheRuntimeThatWaits) {
  ASSERT_TRUE(
      tasks_->call<containerd::Empty>("Exec", request(carrier_, "e", {"/box", "echo", "no"})));
  ASSERT_TRUE(await_waiting("e"));
  signal_process(node().shim_pid(carrier_), SIGKILL);
  EXPECT_TRUE(await([] { return waiting("e") == 0; }));
  EXPECT_EQ(output(), "");
}

TEST_F(EarlyExec, ARuntimeThatDiesWaitingIsReplaced) {
  const std::string id = start_box("killed").id();
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", request(id, "e", {"/box", "echo", "again"})));
  ASSERT_TRUE(await_waiting("e"));
  signal_waiting("e", SIGKILL);
  EXPECT_TRUE(await([] { return waiting("e") == 0; }));
  expect_runs(id, "e", "again\n");
}

// It has been given its document, and has not taken a byte of it: nothing was done, and the session
// is the next one's.
TEST_F(EarlyExec, ARuntimeThatDiesWithItsDocumentUnreadIsReplaced) {
  const std::string id = start_box("unread").id();
  for (const char* session : {"first", "second"}) {
    ASSERT_TRUE(
        tasks_->call<containerd::Empty>("Exec", request(id, session, {"/box", "echo", session})));
    ASSERT_TRUE(await_waiting(session));
    signal_waiting(session, SIGSTOP);
    containerd::StartRequest start;
    start.set_id(id);
    start.set_exec_id(session);
    std::optional<Result<std::string>> answer;
    tasks_->begin("Start", start, "v2",
                  [&](Result<std::string> bytes) { answer = std::move(bytes); });
    EXPECT_EQ(status(id, session), containerd::STATUS_CREATED) << "the start waits for the runtime";
    signal_waiting(session, SIGKILL);
    ASSERT_TRUE(tasks_->run_until([&] { return answer.has_value(); }));
    ASSERT_TRUE(answer->has_value()) << answer->error().message;
    EXPECT_EQ(tasks_->wait(id, session)->exit_status(), 0U);
    EXPECT_TRUE(tasks_->remove(id, session));
  }
  EXPECT_EQ(output(), "first\nsecond\n");
}

}  // namespace
}  // namespace ward::test
