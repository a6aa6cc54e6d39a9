// SPDX-License-Identifier: Apache-2.0
// Corners of the contract that no client of today goes into on purpose: several Deletes at once,
// streams that nobody asked for, names that are names of our own.
#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr char kProcessType[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";

class Corner : public TaskApiTest {
 protected:
  static std::string make_fifo(const fs::path& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    return path;
  }
  // What a process has as 0, 1 and 2: "null", "pipe" or the link itself.
  static std::vector<std::string> streams_of(pid_t pid) {
    std::vector<std::string> result;
    for (const char* fd : {"0", "1", "2"}) {
      std::error_code error;
      const std::string link =
          fs::read_symlink("/proc/" + std::to_string(pid) + "/fd/" + fd, error);
      result.push_back(link == "/dev/null" ? "null" : link.starts_with("pipe:") ? "pipe" : link);
    }
    return result;
  }
  containerd::ExecProcessRequest exec_request(const std::string& exec_id) const {
    containerd::ExecProcessRequest request;
    request.set_id(carrier_);
    request.set_exec_id(exec_id);
    request.mutable_spec()->set_type_url(kProcessType);
    request.mutable_spec()->set_value(R"({"args":["/box","wait"],"cwd":"/"})");
    return request;
  }
};

TEST_F(Corner, OfSeveralDeletesAtOnceOneDeletesAndTheIdIsFreeForTheNext) {
  Events events(node());
  const Bundle& bundle = make_bundle("deletes", {"/box", "echo", "words"});
  auto request = bundle.create_request();
  request.set_stdout(make_fifo(bundle.path() / "out"));
  const UniqueFd reader(::open(request.stdout().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("deletes").has_value());
  ASSERT_TRUE(tasks_->wait("deletes").has_value());
  containerd::DeleteRequest remove;
  remove.set_id("deletes");
  std::vector<Code> codes;
  Result<std::string> created_again = fail(Code::kUnavailable, "not asked");
  bool answered = false;
  for (int i = 0; i < 3; ++i) {
    tasks_->begin("Delete", remove, "v2", [&](const Result<std::string>& answer) {
      codes.push_back(code_of(answer));
      if (!answer) return;
      tasks_->begin("Create", bundle.create_request(), "v2", [&](Result<std::string> created) {
        created_again = std::move(created);
        answered = true;
      });
    });
  }
  ASSERT_TRUE(tasks_->run_until([&] { return codes.size() == 3 && answered; })) << codes.size();
  EXPECT_THAT(codes, UnorderedElementsAre(Code::kOk, Code::kNotFound, Code::kNotFound));
  ASSERT_TRUE(created_again.has_value()) << message_of(created_again);
  EXPECT_EQ(status("deletes"), containerd::STATUS_CREATED)
      << "no Delete of the old one took the new one with it";
  ASSERT_TRUE(tasks_->start("deletes").has_value());
  ASSERT_TRUE(tasks_->wait("deletes").has_value());
  ASSERT_TRUE(tasks_->remove("deletes").has_value());
  const auto told = [&] {
    const auto all = events.of("deletes");
    return std::count(all.begin(), all.end(), "delete");
  };
  ASSERT_TRUE(await([&] {
    events.await("deletes", "delete");
    return told() >= 2;
  }));
  EXPECT_THAT(events.of("deletes"), ElementsAre("create", "start", "exit", "delete", "create",
                                                "start", "exit", "delete"));
}

TEST_F(Corner, AStreamThatNobodyAskedForIsNothing) {
  const std::pair<std::vector<std::string>, std::vector<std::string>> cases[] = {
      {{}, {"null", "null", "null"}},
      {{"out"}, {"null", "pipe", "null"}},
      {{"err"}, {"null", "null", "pipe"}},
  };
  int number = 0;
  for (const auto& [wanted, expected] : cases) {
    const std::string name = "streams-" + std::to_string(++number);
    const Bundle& bundle = make_bundle(name, {"/box", "wait"});
    auto request = bundle.create_request();
    auto exec = exec_request(name);
    for (const auto& stream : wanted) {
      const auto of_init = make_fifo(bundle.path() / stream),
                 of_exec = make_fifo(bundle.path() / ("exec-" + stream));
      stream == "out" ? request.set_stdout(of_init) : request.set_stderr(of_init);
      stream == "out" ? exec.set_stdout(of_exec) : exec.set_stderr(of_exec);
    }
    const auto created = create(request);
    ASSERT_TRUE(created.has_value()) << message_of(created);
    ASSERT_TRUE(tasks_->start(name).has_value());
    EXPECT_EQ(streams_of(static_cast<pid_t>(created->pid())), expected) << name;
    ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", exec).has_value());
    const auto started = tasks_->start(carrier_, name);
    ASSERT_TRUE(started.has_value()) << message_of(started);
    EXPECT_EQ(streams_of(static_cast<pid_t>(started->pid())), expected) << "session " << name;
  }
  // Nothing is captured, and the reason of a failure is told all the same.
  auto failing = exec_request("failing");
  failing.mutable_spec()->set_value(R"({"args":["nothere"],"cwd":"/"})");
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", failing).has_value());
  EXPECT_THAT(message_of(tasks_->start(carrier_, "failing")),
              HasSubstr("executable file not found"));
}

TEST_F(Corner, ASessionMayBeCalledInit) {
  const fs::path pid_file = node().bundle(carrier_) / "init.pid";
  const auto before = read_file(pid_file);
  ASSERT_TRUE(before.has_value()) << message_of(before);
  ASSERT_TRUE(tasks_->exec(carrier_, "init", {"/box", "wait"}).has_value());
  ASSERT_TRUE(tasks_->start(carrier_, "init").has_value());
  EXPECT_EQ(read_file(pid_file).value_or("gone"), *before);
  ASSERT_TRUE(tasks_->kill(carrier_, SIGKILL, "init").has_value());
  ASSERT_TRUE(tasks_->wait(carrier_, "init").has_value());
  ASSERT_TRUE(tasks_->remove(carrier_, "init").has_value());
  EXPECT_EQ(read_file(pid_file).value_or("gone"), *before);
}

// Without a time, as the stock shim has none (F10); but nobody waits for ever.
TEST_F(Corner, WhoWaitsForASessionThatNeverRunsIsAnsweredWhenItsContainerIsGone) {
  const std::string id = start_box("left").id();
  ASSERT_TRUE(tasks_->exec(id, "left", {"/box", "true"}).has_value());
  containerd::WaitRequest wait;
  wait.set_id(id);
  wait.set_exec_id("left");
  std::optional<containerd::WaitResponse> ended;
  tasks_->begin("Wait", wait, "v2", [&](const Result<std::string>& answer) {
    EXPECT_TRUE(answer && ended.emplace().ParseFromString(*answer));
  });
  ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait(id).has_value());
  ASSERT_TRUE(tasks_->remove(id).has_value());
  ASSERT_TRUE(tasks_->run_until([&] { return ended.has_value(); }));
  EXPECT_LE(ended->exited_at().seconds(), 0);  // absent, or the zero of Go
}

TEST_F(Corner, ATypeIsTakenByItsWholeName) {
  auto request = exec_request("typed");
  request.mutable_spec()->set_type_url(std::string("evil/") + kProcessType);
  EXPECT_EQ(code_of(tasks_->call<containerd::Empty>("Exec", request)), Code::kInvalidArgument);
  request.mutable_spec()->set_type_url(std::string("type.googleapis.com/") + kProcessType);
  EXPECT_EQ(code_of(tasks_->call<containerd::Empty>("Exec", request)), Code::kOk);
}

TEST_F(Corner, AnErrorInADocumentIsToldWithoutTheParsersOwnNames) {
  auto request = exec_request("broken");
  request.mutable_spec()->set_value("{");
  const auto answer = tasks_->call<containerd::Empty>("Exec", request);
  EXPECT_EQ(code_of(answer), Code::kInvalidArgument);
  EXPECT_THAT(message_of(answer), Not(HasSubstr("json.exception")));
  EXPECT_THAT(message_of(answer), HasSubstr("parse error at line 1"));
}

}  // namespace
}  // namespace ward::test
