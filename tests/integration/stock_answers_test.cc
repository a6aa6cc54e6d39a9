// SPDX-License-Identifier: Apache-2.0
// Where clients noticed a difference to the stock shim: the answer that it gives, call by call.
// Each is asked of both with WARD_TEST_STOCK=1; with another containerd (WARD_TEST_CONTAINERD) the
// stock shim is that one's own.
#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <set>

#include "tests/integration/task_api_base.h"
#include "tests/support/peers.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::HasSubstr;

class StockAnswers : public TaskApiTest, public testing::WithParamInterface<const char*> {
 protected:
  [[nodiscard]] std::string carrier_runtime() const override { return GetParam(); }
  [[nodiscard]] static bool is_ward() { return GetParam() == std::string(kWardRuntime); }

  // Go's stock shim writes a time before all times where it has none.
  template <typename Reply>
  static bool has_end(const Reply& reply) {
    return reply.has_exited_at() && reply.exited_at().seconds() > 0;
  }
  template <typename Reply>
  static void expect_never_ran(const Result<Reply>& reply) {
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->exit_status(), 0U);
    EXPECT_FALSE(has_end(*reply)) << reply->exited_at().seconds();
  }
  static int lines(const std::string& text) {
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }
  std::string make_script(const fs::path& directory, const std::string& text) {
    const auto path = directory / "runtime-script";
    std::ofstream(path) << "#!/bin/sh\n" << text;
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  containerd::CreateTaskRequest logged(const Bundle& bundle, const std::string& runtime) {
    auto request = with_runtime(bundle.create_request(), runtime);
    request.set_stdout("file://" + log_of(bundle));
    return request;
  }
  static std::string log_of(const Bundle& bundle) { return bundle.path() / "log"; }
  static std::string log_text(const Bundle& bundle) {
    return read_file(log_of(bundle), 16U << 20U).value_or("none");
  }
};

TEST_P(StockAnswers, F10_ASessionThatWasNeverStartedIsDeletedWithoutAnEnd) {
  const std::string id = start_box("unstarted").id();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(tasks_->exec(id, "e", {"/box", "true"}).has_value());
    const auto state = tasks_->state(id, "e");
    EXPECT_EQ(state->status(), containerd::STATUS_CREATED);
    EXPECT_FALSE(has_end(*state));
    const auto removed = tasks_->remove(id, "e");
    expect_never_ran(removed);
    EXPECT_EQ(removed->pid(), 0U);
    EXPECT_EQ(code_of(tasks_->state(id, "e")), Code::kNotFound);
  }
  // Neither does the end of its container become its own.
  ASSERT_TRUE(tasks_->exec(id, "e", {"/box", "true"}).has_value());
  ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait(id).has_value());
  EXPECT_EQ(status(id, "e"), containerd::STATUS_CREATED);
  EXPECT_FALSE(tasks_->start(id, "e").has_value());
  EXPECT_EQ(status(id, "e"), containerd::STATUS_CREATED);
  expect_never_ran(tasks_->remove(id, "e"));
}

TEST_P(StockAnswers, F11_ASessionWhoseProgramIsMissingStaysCreated) {
  const Bundle& bundle = start_box("missing");
  const std::string& id = bundle.id();
  ASSERT_TRUE(tasks_->exec(id, "e", {"/late", "exit", "3"}).has_value());
  std::optional<Result<std::string>> waited;
  containerd::WaitRequest wait;
  wait.set_id(id);
  wait.set_exec_id("e");
  const char* version = !is_ward() && containerd_version().major >= 2 ? "v3" : "v2";
  tasks_->begin("Wait", wait, version,
                [&](Result<std::string> answer) { waited = std::move(answer); });
  const auto expect_created = [&] {
    const auto state = tasks_->state(id, "e");
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->status(), containerd::STATUS_CREATED);
    EXPECT_EQ(state->pid(), 0U);
    EXPECT_FALSE(has_end(*state));
    const auto killed = tasks_->kill(id, SIGKILL, "e");
    EXPECT_EQ(code_of(killed), Code::kFailedPrecondition);
    EXPECT_THAT(message_of(killed), HasSubstr("process not created"));
    expect_never_ran(tasks_->wait(id, "e"));
  };
  EXPECT_THAT(message_of(tasks_->start(id, "e")), HasSubstr("no such file"));
  expect_created();
  ASSERT_TRUE(tasks_->run_until([&] { return waited.has_value(); }))
      << "who waited before is answered, too";
  if (is_ward()) {  // the stock shim dies of a second start
    EXPECT_THAT(message_of(tasks_->start(id, "e")), HasSubstr("no such file"));
    expect_created();
    fs::copy_file(bundle.rootfs() / "box", bundle.rootfs() / "late");
    const auto started = tasks_->start(id, "e");
    ASSERT_TRUE(started.has_value()) << started.error().message;
    const auto ended = tasks_->wait(id, "e");
    EXPECT_EQ(ended->exit_status(), 3U);
    EXPECT_TRUE(has_end(*ended));
    EXPECT_EQ(tasks_->remove(id, "e")->exit_status(), 3U);
  } else {
    expect_never_ran(tasks_->remove(id, "e"));
  }
  EXPECT_EQ(status(id), containerd::STATUS_RUNNING);
}

TEST_P(StockAnswers, F13_OfAProgramThatIsMissingOnlyTheErrorIsTold) {
  const std::string id = node().unique("nothere");
  const auto log = node().directory() / (id + ".log");
  for (const bool to_file : {false, true}) {
    std::vector<std::string> command{"run", "--rm", "--runtime", GetParam()};
    if (to_file) command.insert(command.end(), {"--log-uri", "file://" + log.string()});
    command.insert(command.end(), {kBoxImage, id, "/nothere"});
    const Output run = node().ctr(command);
    EXPECT_NE(run.status, 0);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, testing::StartsWith("ctr: ")) << "the runtime's own words come before it";
    EXPECT_EQ(lines(run.err), 1) << run.err;
    node().remove(id);
  }
  EXPECT_EQ(read_file(log).value_or("none"), "");
  const Output exec = node().ctr({"task", "exec", "--exec-id", "e", carrier_, "/nothere"});
  EXPECT_THAT(exec.err, testing::StartsWith("ctr: "));
  EXPECT_EQ(lines(exec.err), 1) << exec.err;
}

// Stock holds no more than a pipe does: of two million bytes it never comes back.
TEST_P(StockAnswers, F13_TheNoiseOfARuntimeThatFailsIsDroppedAndHoldsNothingUp) {
  if (!is_ward()) GTEST_SKIP() << "ctr alone can give it a runtime";
  const Bundle& bundle = make_bundle("noisy", {"/box", "wait"});
  const std::string noise = "head -c 2000000 /dev/zero | tr '\\0' x >&2\n";
  const auto failing = make_script(
      bundle.path(), "case \"$*\" in *create*)\n" + noise + "exit 1;; esac\nexec runc \"$@\"\n");
  EXPECT_FALSE(create(logged(bundle, failing)).has_value());
  EXPECT_EQ(log_text(bundle), "");
  const auto session = make_script(
      bundle.path(), "case \"$*\" in *exec*) head -c 500000 /dev/zero >&2; exit 1;; *create*)\n" +
                         noise + "esac\nexec runc \"$@\"\n");
  const auto created = create(logged(bundle, session));
  ASSERT_TRUE(created.has_value()) << created.error().message;
  ASSERT_TRUE(tasks_->start("noisy").has_value());
  auto exec = TaskClient::exec_request("noisy", "e", {"/box", "true"});
  const std::string exec_log = bundle.path() / "exec-log";
  exec.set_stdout("file://" + exec_log);
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", exec).has_value());
  EXPECT_FALSE(tasks_->start("noisy", "e").has_value());
  EXPECT_EQ(read_file(exec_log).value_or("none"), "");
}

// What a runtime that succeeds has said comes first, as from the stock shim.
TEST_P(StockAnswers, F13_WhatARuntimeThatSucceedsSaysReachesTheClient) {
  const auto directory = node().directory() / carrier_;
  fs::create_directories(directory);
  const auto noisy = make_script(
      directory, "case \"$*\" in *create*) echo warning >&2;; esac\nexec runc \"$@\"\n");
  std::string seen;
  if (is_ward()) {
    const Bundle& bundle = make_bundle("warned", {"/box", "err"});
    ASSERT_TRUE(create(logged(bundle, noisy)).has_value());
    ASSERT_TRUE(tasks_->start("warned").has_value());
    ASSERT_TRUE(tasks_->wait("warned").has_value());
    ASSERT_TRUE(tasks_->remove("warned").has_value());
    seen = log_text(bundle);
  } else {
    const Output run = node().ctr({"run", "--rm", "--runtime", GetParam(), "--runc-binary", noisy,
                                   kBoxImage, node().unique("warned"), "/box", "err"});
    EXPECT_EQ(run.status, 0) << run.err;
    seen = run.out + run.err;
  }
  EXPECT_THAT(seen, HasSubstr("warning\n"));
  EXPECT_THAT(seen, HasSubstr("to stderr\n"));
}

TEST_P(StockAnswers, F12_TheRuntimesWorkingDirectoryIsTheBundleInEveryVerb) {
  if (!is_ward()) GTEST_SKIP() << "ctr alone can give it a runtime";
  const Bundle& bundle = make_bundle("wrapped", {"/box", "wait"});
  const auto calls = (bundle.path() / "calls").string();
  const auto wrapper =
      make_script(bundle.path(),
                  "grep -q ociVersion ./config.json || exit 9\nfor word; do case $word in "
                  "create|start|exec|pause|resume|kill|update|delete) echo $word "
                  "$(pwd) >>" +
                      calls + ";; esac; done\nexec runc \"$@\"\n");
  const auto created = create(with_runtime(bundle.create_request(), wrapper));
  ASSERT_TRUE(created.has_value()) << created.error().message;
  ASSERT_TRUE(tasks_->start("wrapped").has_value());
  ASSERT_TRUE(tasks_->exec("wrapped", "e", {"/box", "true"}).has_value());
  ASSERT_TRUE(tasks_->start("wrapped", "e").has_value());
  containerd::PauseRequest which;
  which.set_id("wrapped");
  for (const char* method : {"Pause", "Resume"})
    ASSERT_TRUE(tasks_->call<containerd::Empty>(method, which).has_value());
  containerd::UpdateTaskRequest update;
  update.set_id("wrapped");
  update.mutable_resources()->set_type_url(
      "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources");
  update.mutable_resources()->set_value("{}");
  (void)tasks_->call<containerd::Empty>("Update", update);
  ASSERT_TRUE(tasks_->kill("wrapped", SIGKILL, {}, true).has_value());
  ASSERT_TRUE(tasks_->wait("wrapped").has_value());
  ASSERT_TRUE(tasks_->remove("wrapped").has_value());
  const auto text = read_file(calls).value_or("");
  for (const char* verb :
       {"create", "start", "exec", "pause", "resume", "update", "kill", "delete"}) {
    EXPECT_THAT(text, HasSubstr(std::string(verb) + " " + bundle.path().string() + "\n"));
  }
}

// containerd 1.6 and 1.7 wait two seconds for the rest of a session's output, 2.0 and later ten.
TEST_P(StockAnswers, F15_ASessionWhoseOutputIsHeldIsWaitedForAsLongAsItsContainerdDoes) {
  const auto begin = std::chrono::steady_clock::now();
  const Output exec = node().ctr({"task", "exec", "--exec-id", "held", carrier_, "/box", "holder"});
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(exec.status, 0) << exec.err;
  EXPECT_EQ(exec.out, "held\n");
  const bool waits_long = containerd_version().major >= 2;
  EXPECT_GT(took, waits_long ? seconds(9) : seconds(1));
  if (!waits_long && !is_slow_host()) {
    EXPECT_LT(took, seconds(8));
  }
}

TEST_P(StockAnswers, F16_ATerminalIsOneDescriptor) {
  const std::string id = node().unique("tty");
  Child child(node().ctr_command(
                  {"run", "--rm", "-t", "--runtime", GetParam(), kBoxImage, id, "/box", "ask"}),
              node().environment(true));
  ASSERT_TRUE(child.await_output("ready")) << child.out();
  int terminals = 0;
  std::error_code ignored;
  const pid_t shim = node().shim_pid(id);
  ASSERT_GT(shim, 0);
  for (const auto& entry :
       fs::directory_iterator("/proc/" + std::to_string(shim) + "/fd", ignored)) {
    if (fs::read_symlink(entry, ignored).string().find("ptmx") != std::string::npos) ++terminals;
  }
  EXPECT_EQ(terminals, 1);
  child.write("both ways\n");
  EXPECT_TRUE(child.await_output("both ways\r")) << child.out();
  child.write("\x04");
  EXPECT_EQ(child.wait(), 0) << child.out();
}

// A start says that the program was handed over to, not that it has forked yet. What is there when
// Pids is asked is in the answer; Ward's start answers earlier than one that waits for a process of
// the runtime to end.
TEST_P(StockAnswers, F14_PidsHasWhatWasThereWhenItWasAsked) {
  constexpr int kChildren = 4;
  const auto pids_of = [&](const std::string& id) {
    containerd::PidsRequest request;
    request.set_id(id);
    const auto answer = tasks_->call<containerd::PidsResponse>("Pids", request);
    EXPECT_TRUE(answer.has_value()) << message_of(answer);
    std::set<std::uint32_t> pids;
    if (!answer) return pids;
    for (const auto& process : answer->processes()) pids.insert(process.pid());
    return pids;
  };
  const auto there_now = [](std::uint32_t init) {
    const std::string pid = std::to_string(init);
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    std::set<std::uint32_t> pids{init};
    for (std::uint32_t child = 0; children >> child;) pids.insert(child);
    return pids;
  };
  for (int round = 0; round < 5; ++round) {
    const std::string id =
        create_box("crowd-" + std::to_string(round), {"/box", "crowd", std::to_string(kChildren)})
            .id();
    const auto started = tasks_->start(id);
    ASSERT_TRUE(started.has_value()) << message_of(started);
    std::set<std::uint32_t> before;
    EXPECT_TRUE(await([&] {
      before = there_now(started->pid());
      EXPECT_THAT(pids_of(id), testing::IsSupersetOf(before));
      return before.size() == 1 + kChildren;
    }));
    EXPECT_EQ(pids_of(id), before);
  }
}

INSTANTIATE_TEST_SUITE_P(Runtime, StockAnswers, testing::ValuesIn(runtimes()), runtime_name);

}  // namespace
}  // namespace ward::test
