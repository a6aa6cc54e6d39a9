// SPDX-License-Identifier: Apache-2.0
// Parts of the Task service that no client of every day asks for: odd signals, payloads that are
// none, sizes of terminals, questions in states in which containerd would not ask them.
#include <fcntl.h>

#include "containerd/types.pb.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kProcessType[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";

// What no message of the contract can be: a field that never ends.
struct Undecodable {
  static std::string SerializeAsString() { return "\xff\xff\xff"; }
};

class Contract : public TaskApiTest {
 protected:
  static UniqueFd open_fifo(const fs::path& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0) << path;
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  Result<containerd::Empty> resize(const std::string& id, const std::string& exec_id,
                                   unsigned width, unsigned height) {
    containerd::ResizePtyRequest request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    request.set_width(width);
    request.set_height(height);
    return tasks_->call<containerd::Empty>("ResizePty", request);
  }
  Code ask(const char* method, const std::string& id) {
    containerd::PauseRequest request;
    request.set_id(id);
    return code_of(tasks_->call<containerd::Empty>(method, request));
  }
  Result<containerd::Empty> checkpoint(const std::string& id) {
    containerd::CheckpointTaskRequest request;
    request.set_id(id);
    request.set_path(node().directory() / "never-made");
    return tasks_->call<containerd::Empty>("Checkpoint", request);
  }
};

TEST_F(Contract, APayloadThatCannotBeDecodedIsInvalidInEveryCall) {
  for (const char* method :
       {"State", "Create", "Start", "Delete", "Pids", "Pause", "Resume", "Checkpoint", "Kill",
        "Exec", "ResizePty", "CloseIO", "Update", "Wait", "Stats", "Connect", "Shutdown"}) {
    for (const char* version : {"v2", "v3"}) {
      const auto answer = tasks_->call<containerd::Empty>(method, Undecodable(), version);
      EXPECT_EQ(code_of(answer), Code::kInvalidArgument)
          << method << " " << version << ": " << message_of(answer);
    }
  }
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
}

TEST_F(Contract, ASignalThatIsNoneIsInvalidAndReachesNobody) {
  ASSERT_TRUE(tasks_->exec(carrier_, "e1", {"/box", "wait"}).has_value());
  ASSERT_TRUE(tasks_->start(carrier_, "e1").has_value());
  for (const char* exec_id : {"", "e1"}) {
    for (const int signal : {65, -1, 1 << 20}) {
      const auto killed = tasks_->kill(carrier_, signal, exec_id);
      EXPECT_EQ(code_of(killed), Code::kInvalidArgument)
          << exec_id << " " << signal << ": " << message_of(killed);
      EXPECT_THAT(message_of(killed), HasSubstr(std::to_string(signal)));
    }
    EXPECT_EQ(status(carrier_, exec_id), containerd::STATUS_RUNNING);
    EXPECT_TRUE(tasks_->kill(carrier_, 0, exec_id).has_value());
  }
  ASSERT_TRUE(tasks_->kill(carrier_, SIGRTMAX, "e1").has_value()) << "the last one there is";
  EXPECT_EQ(tasks_->wait(carrier_, "e1")->exit_status(), 128U + 64U);
}

TEST_F(Contract, AResizeReachesTheTerminalOfAnInitAndOfASession) {
  const Bundle& bundle = make_bundle("sized", {"/box", "size"});
  bundle.patch(R"({"process":{"terminal":true}})");
  const auto out = open_fifo(bundle.path() / "out");
  auto request = bundle.create_request();
  request.set_terminal(true);
  request.set_stdout(bundle.path() / "out");
  const auto created = create(request);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  ASSERT_TRUE(tasks_->start("sized").has_value());
  const auto session_out = open_fifo(bundle.path() / "session-out");
  containerd::ExecProcessRequest exec;
  exec.set_id("sized");
  exec.set_exec_id("e1");
  exec.set_terminal(true);
  exec.set_stdout(bundle.path() / "session-out");
  exec.mutable_spec()->set_type_url(kProcessType);
  exec.mutable_spec()->set_value(R"({"args":["/box","size"],"cwd":"/"})");
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", exec).has_value());
  ASSERT_TRUE(tasks_->start("sized", "e1").has_value());

  const auto says = [](const UniqueFd& reader, const std::string& what) {
    std::string text;
    return await([&] {
      char buffer[4096];
      const ssize_t n = ::read(reader.get(), buffer, sizeof(buffer));
      if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
      return text.find(what) != std::string::npos;
    });
  };
  ASSERT_TRUE(resize("sized", "", 123, 45).has_value());
  EXPECT_TRUE(says(out, "123 columns, 45 rows"));
  ASSERT_TRUE(resize("sized", "e1", 81, 26).has_value());
  EXPECT_TRUE(says(session_out, "81 columns, 26 rows"));
  ASSERT_TRUE(resize("sized", "", 200, 50).has_value());
  EXPECT_TRUE(says(out, "200 columns, 50 rows"));
  ASSERT_TRUE(tasks_->kill("sized", SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait("sized").has_value());
  EXPECT_TRUE(resize("sized", "", 80, 24).has_value())
      << "nothing is left to resize, and that is no error";
}

TEST_F(Contract, StatsAndCheckpointKnowTheStates) {
  const std::string id = create_box("states").id();
  EXPECT_EQ(ask("Stats", id), Code::kOk) << "created";
  EXPECT_EQ(code_of(checkpoint(id)), Code::kFailedPrecondition);
  EXPECT_EQ(message_of(checkpoint(id)), "cannot checkpoint a created container");
  ASSERT_TRUE(tasks_->start(id).has_value());
  EXPECT_EQ(ask("Stats", id), Code::kOk) << "running";
  ASSERT_EQ(ask("Pause", id), Code::kOk);
  EXPECT_EQ(ask("Stats", id), Code::kOk) << "paused";
  ASSERT_EQ(ask("Resume", id), Code::kOk);
  ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait(id).has_value());
  EXPECT_EQ(ask("Stats", id), Code::kOk) << "stopped: its cgroup stays until Delete";
  EXPECT_EQ(code_of(checkpoint(id)), Code::kFailedPrecondition);
  EXPECT_EQ(message_of(checkpoint(id)), "cannot checkpoint a stopped container");
  ASSERT_TRUE(tasks_->remove(id).has_value());
  EXPECT_EQ(ask("Stats", id), Code::kNotFound) << "deleted";
  EXPECT_EQ(code_of(checkpoint(id)), Code::kNotFound);
}

TEST_F(Contract, SessionsOfAPausedAndOfAStoppedContainer) {
  const std::string id = start_box("sessions").id();
  for (const char* exec_id : {"runs", "never"})
    ASSERT_TRUE(tasks_->exec(id, exec_id, {"/box", "wait"}).has_value());
  ASSERT_TRUE(tasks_->start(id, "runs").has_value());
  ASSERT_EQ(ask("Pause", id), Code::kOk);
  EXPECT_EQ(status(id, "runs"), containerd::STATUS_PAUSED);
  EXPECT_EQ(status(id, "never"), containerd::STATUS_CREATED);
  EXPECT_EQ(tasks_->start(id, "never").error().message, "cannot exec in a paused state");
  EXPECT_EQ(code_of(tasks_->start(id, "never")), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->start(id, "runs")), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->remove(id, "runs")), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->kill(id, 0, "runs")), Code::kOk);
  EXPECT_EQ(code_of(tasks_->kill(id, SIGTERM, "never")), Code::kFailedPrecondition);
  ASSERT_EQ(ask("Resume", id), Code::kOk);
  EXPECT_EQ(status(id, "runs"), containerd::STATUS_RUNNING);
  ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait(id).has_value());
  EXPECT_EQ(status(id, "runs"), containerd::STATUS_STOPPED);
  EXPECT_EQ(tasks_->wait(id, "runs")->exit_status(), 137U);
  EXPECT_EQ(code_of(tasks_->kill(id, SIGKILL, "runs")), Code::kNotFound);
  EXPECT_THAT(message_of(tasks_->start(id, "never")), HasSubstr("init process is not running"));
  EXPECT_EQ(code_of(tasks_->start(id, "never")), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->start(id, "runs")), Code::kFailedPrecondition);
  EXPECT_EQ(tasks_->remove(id, "runs")->exit_status(), 137U);
  EXPECT_EQ(code_of(tasks_->remove(id, "never")), Code::kOk);
}

TEST_F(Contract, TheRuntimeGetsStreamsThatBelongToIoUidAndIoGid) {
  const Bundle& bundle = make_bundle("owned", {"/box", "wait"});
  const auto runtime = bundle.path() / "looking-runtime";
  std::ofstream(runtime) << "#!/bin/sh\nfor word; do case $word in create|exec) for fd in 0 1 2; "
                            "do stat -L -c '%u %g' "
                            "/proc/self/fd/$fd; done >>'"
                         << (bundle.path() / "owners").string()
                         << "'.$word 3>&-; break;; esac; done\nexec runc \"$@\"\n";
  fs::permissions(runtime, fs::perms::owner_all);
  const auto fifo = [&](const char* name) {
    const auto path = bundle.path() / name;
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    return path.string();
  };
  auto request = bundle.create_request();
  request.set_stdin(fifo("in"));
  request.set_stderr(fifo("err"));
  containerd::RuncOptions options;
  options.set_binary_name(runtime);
  options.set_io_uid(12345);
  options.set_io_gid(23456);
  request.mutable_options()->set_type_url("containerd.runc.v1.Options");
  request.mutable_options()->set_value(options.SerializeAsString());
  const auto created = create(request);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  ASSERT_TRUE(tasks_->start("owned").has_value());
  containerd::ExecProcessRequest exec;
  exec.set_id("owned");
  exec.set_exec_id("e1");
  exec.set_stdin(fifo("e1-in"));
  exec.set_stderr(fifo("e1-err"));
  exec.mutable_spec()->set_type_url(kProcessType);
  exec.mutable_spec()->set_value(R"({"args":["/box","wait"],"cwd":"/"})");
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", exec).has_value());
  ASSERT_TRUE(tasks_->start("owned", "e1").has_value());
  for (const char* verb : {"create", "exec"}) {
    std::istringstream lines(
        read_file(bundle.path() / (std::string("owners.") + verb)).value_or(""));
    std::vector<std::string> owners;
    for (std::string line; std::getline(lines, line);) owners.push_back(line);
    ASSERT_EQ(owners.size(), 3U) << verb;
    EXPECT_EQ(owners[0], "12345 23456") << verb << ", standard input";
    EXPECT_EQ(owners[2], "12345 23456") << verb << ", standard error";
  }
}

}  // namespace
}  // namespace ward::test
