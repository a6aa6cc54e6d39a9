// SPDX-License-Identifier: Apache-2.0
// Bugs that other shims had, each with its number in docs/shim-contract.md. What is said there of a bug must not come
// true here.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>

#include "lib/linux/process_info.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Regression : public TaskApiTest {
 protected:
  Regression() = default;
  [[nodiscard]] pid_t shim() const { return node().shim_pid(carrier_); }
  // What the shim has open, as the links of /proc say it.
  [[nodiscard]] std::vector<std::string> descriptors() const {
    std::vector<std::string> result;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(shim()) + "/fd", ignored)) {
      result.push_back(fs::read_symlink(entry.path(), ignored));
    }
    return result;
  }
  [[nodiscard]] long count_descriptors(const std::string& kind) const {
    const auto all = descriptors();
    return std::count_if(all.begin(), all.end(),
                         [&](const auto& link) { return link.find(kind) != std::string::npos; });
  }
  std::string fifo(const Bundle& bundle, const char* name) {
    const std::string path = bundle.path() / name;
    ::mkfifo(path.c_str(), 0600);
    return path;
  }
  void wait_begin(const std::string& id, const std::string& exec_id, std::function<void(Result<std::string>)> then) {
    containerd::WaitRequest request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    tasks_->begin("Wait", request, "v2", std::move(then));
  }
  void start_begin(const std::string& id, const std::string& exec_id, std::function<void(Result<std::string>)> then) {
    containerd::StartRequest request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    tasks_->begin("Start", request, "v2", std::move(then));
  }
  // A whole life; the exit status, or -1.
  int live(const std::string& id, const std::vector<std::string>& command) {
    const Bundle bundle(node(), carrier_, id, command);
    if (!create(bundle.create_request()) || !tasks_->start(id)) return -1;
    const auto ended = tasks_->wait(id);
    const auto deleted = tasks_->remove(id);
    return ended && deleted && ended->exit_status() == deleted->exit_status() ? static_cast<int>(ended->exit_status())
                                                                              : -1;
  }
};

TEST_F(Regression, Bug01_TheInitsEndIsToldAfterThoseOfItsSessionsAndNoNewOneStarts) {
  const std::string id = start_box("bug01").id();
  std::vector<std::string> order;
  for (const char* exec_id : {"e1", "e2", "e3"}) {
    ASSERT_TRUE(tasks_->exec(id, exec_id, {"/box", "wait"}).has_value());
    ASSERT_TRUE(tasks_->start(id, exec_id).has_value());
    wait_begin(id, exec_id, [&order](const Result<std::string>&) { order.emplace_back("exec"); });
  }
  ASSERT_TRUE(tasks_->exec(id, "late", {"/box", "true"}).has_value());
  wait_begin(id, "", [&order](const Result<std::string>&) { order.emplace_back("init"); });
  ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
  ASSERT_TRUE(tasks_->run_until([&] { return order.size() == 4; }));
  EXPECT_THAT(order, ElementsAre("exec", "exec", "exec", "init"));
  const auto late = tasks_->start(id, "late");
  EXPECT_EQ(code_of(late), Code::kFailedPrecondition);
  EXPECT_THAT(message_of(late), HasSubstr("init process is not running"));
}

TEST_F(Regression, Bug02_AnEndBeforeThePidIsKnownIsNotLost) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(live("bug02-" + std::to_string(i), {"/box", "exit", "7"}), 7) << i;
  for (int i = 0; i < 10; ++i) {
    const std::string exec_id = "e" + std::to_string(i);
    ASSERT_TRUE(tasks_->exec(carrier_, exec_id, {"/box", "exit", "5"}).has_value());
    ASSERT_TRUE(tasks_->start(carrier_, exec_id).has_value());
    EXPECT_EQ(tasks_->wait(carrier_, exec_id)->exit_status(), 5U);
    EXPECT_TRUE(tasks_->remove(carrier_, exec_id).has_value());
  }
  // Killed while it was only created.
  const std::string id = create_box("bug02-created").id();
  const auto created = tasks_->state(id);
  ASSERT_TRUE(created.has_value());
  ASSERT_TRUE(signal_process(static_cast<pid_t>(created->pid()), SIGKILL));
  EXPECT_TRUE(await([&] { return status(id) == containerd::STATUS_STOPPED; }));
  EXPECT_FALSE(tasks_->start(id).has_value());
  EXPECT_TRUE(tasks_->remove(id).has_value());
}

TEST_F(Regression, Bug03_AForkStormLosesNoEnd) {
  const std::string id = start_box("bug03", {"/box", "fork", "400"}).id();
  std::map<std::string, bool> ended;
  for (int i = 0; i < 6; ++i) {
    const std::string exec_id = "storm-" + std::to_string(i);
    ASSERT_TRUE(tasks_->exec(carrier_, exec_id, {"/box", "fork", "200"}).has_value());
    start_begin(carrier_, exec_id, [&, exec_id](const Result<std::string>& started) {
      EXPECT_TRUE(started.has_value()) << message_of(started);
      wait_begin(carrier_, exec_id,
                 [&, exec_id](const Result<std::string>& answer) { ended[exec_id] = answer.has_value(); });
    });
  }
  EXPECT_TRUE(tasks_->run_until([&] { return ended.size() == 6; })) << ended.size();
  EXPECT_EQ(tasks_->wait(id)->exit_status(), 0U);
}

TEST_F(Regression, Bug04_EveryRuntimeHelperIsWaitedForThoughManyRunAtOnce) {
  int answered = 0;
  for (int i = 0; i < 12; ++i) {
    const std::string exec_id = "many-" + std::to_string(i);
    ASSERT_TRUE(tasks_->exec(carrier_, exec_id, {"/box", i % 3 == 0 ? "nothere" : "true"}).has_value());
    start_begin(carrier_, exec_id, [&answered](const Result<std::string>&) { ++answered; });
  }
  EXPECT_TRUE(tasks_->run_until([&] { return answered == 12; })) << answered;
  // And the shim has no child left that nobody waited for.
  EXPECT_TRUE(await([&] {
    const auto path = "/proc/" + std::to_string(shim()) + "/task/" + std::to_string(shim()) + "/children";
    std::istringstream children(read_file(path).value_or(""));
    int left = 0;
    for (pid_t pid = 0; children >> pid;) ++left;
    return left == 1;  // the container
  }));
}

TEST_F(Regression, Bug05_AnExecThatCannotRunEndsWithoutAnEventAndItsWaitReturns) {
  Events events(node());
  ASSERT_TRUE(tasks_->exec(carrier_, "bad", {"nothere"}).has_value());
  bool waited = false;
  wait_begin(carrier_, "bad", [&waited](const Result<std::string>&) { waited = true; });
  const auto started = tasks_->start(carrier_, "bad");
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error().message, HasSubstr("executable file not found"));
  EXPECT_TRUE(tasks_->run_until([&] { return waited; }));
  EXPECT_EQ(status(carrier_, "bad"), containerd::STATUS_STOPPED);
  EXPECT_NE(tasks_->wait(carrier_, "bad")->exit_status(), 0U);
  EXPECT_TRUE(tasks_->remove(carrier_, "bad").has_value());
  // The next event shows that none is on its way.
  ASSERT_TRUE(tasks_->exec(carrier_, "good", {"/box", "true"}).has_value());
  ASSERT_TRUE(tasks_->start(carrier_, "good").has_value());
  EXPECT_THAT(events.await(carrier_, "exit"), ElementsAre("exec-added", "exec-added", "exec-started", "exit"));
}

TEST_F(Regression, Bug06_OneEndIsToldOnce) {
  Events events(node());
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(node().unique("bug06"));
    EXPECT_EQ(node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, ids.back(), "/box", "true"}).status, 0);
  }
  for (const auto& id : ids) {
    events.await(id, "delete");
    EXPECT_TRUE(await([&] { return node().shim_pid(id) == -1; }));
  }
  const std::string last = node().unique("bug06-last");
  node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, last, "/box", "true"});
  events.await(last, "delete");
  for (const auto& id : ids) EXPECT_THAT(events.of(id), ElementsAre("create", "start", "exit", "delete")) << id;
}

TEST_F(Regression, Bug07_InASharedPidNamespaceTheInitsEndEndsAllAndInAJoinedOneToo) {
  const std::string own = std::to_string(tasks_->state(carrier_)->pid());
  for (const auto& space : {std::string(), R"({"type":"pid","path":"/proc/)" + own + R"(/ns/pid"},)"}) {
    const std::string id = space.empty() ? "bug07-host" : "bug07-joined";
    const Bundle& bundle = make_bundle(id, {"/box", "crowd", "3"});
    bundle.patch(R"({"linux":{"namespaces":[)" + space +
                 R"({"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"}]}})");
    ASSERT_TRUE(create(bundle.create_request()).has_value());
    ASSERT_TRUE(tasks_->start(id).has_value());
    ASSERT_TRUE(tasks_->exec(id, "e1", {"/box", "wait"}).has_value());
    ASSERT_TRUE(tasks_->start(id, "e1").has_value());
    containerd::PidsRequest request;
    request.set_id(id);
    Result<containerd::PidsResponse> pids;
    ASSERT_TRUE(await([&] {
      pids = tasks_->call<containerd::PidsResponse>("Pids", request);
      return pids && pids->processes_size() == 5;
    }));
    ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());  // the init alone
    EXPECT_EQ(tasks_->wait(id)->exit_status(), 137U);
    EXPECT_EQ(tasks_->wait(id, "e1")->exit_status(), 137U);
    for (const auto& process : pids->processes()) {
      // The init of a joined namespace is the one to wait for orphans there, and ours waits for nobody.
      EXPECT_TRUE(await([&] {
        const auto stat = read_stat(static_cast<pid_t>(process.pid()));
        return !stat || stat->state == 'Z';
      }));
    }
  }
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING) << "whose pid namespace was joined";
}

TEST_F(Regression, Bug08_NoEventIsLostWhenTheShimShutsDown) {
  Events events(node());
  for (int i = 0; i < 5; ++i) {
    const std::string id = node().unique("bug08");
    node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "true"});
    EXPECT_THAT(events.await(id, "delete"), ElementsAre("create", "start", "exit", "delete"));
  }
}

TEST_F(Regression, Bug09_AFifoWithoutAReaderHoldsUpNeitherItsCreateNorOtherCalls) {
  const Bundle& bundle = make_bundle("bug09", {"/box", "tick", "0"});
  auto request = bundle.create_request();
  request.set_stdin(fifo(bundle, "in"));
  request.set_stdout(fifo(bundle, "out"));
  request.set_stderr(fifo(bundle, "err"));
  const auto begin = Clock::now();
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("bug09").has_value());
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
  ASSERT_TRUE(tasks_->kill("bug09", SIGKILL).has_value());
  EXPECT_EQ(tasks_->wait("bug09")->exit_status(), 137U);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(Regression, Bug10_OutputOfTheLastMomentIsThereAfterADeleteThatComesAtOnce) {
  for (int i = 0; i < 5; ++i) {
    const Bundle& bundle = make_bundle("bug10-" + std::to_string(i), {"/box", "echo", "last", "words"});
    auto request = bundle.create_request();
    request.set_stdout(fifo(bundle, "out"));
    const UniqueFd reader(::open(request.stdout().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(create(request).has_value());
    ASSERT_TRUE(tasks_->start(bundle.id()).has_value());
    ASSERT_TRUE(tasks_->wait(bundle.id()).has_value());
    ASSERT_TRUE(tasks_->remove(bundle.id()).has_value());
    char buffer[64];
    const ssize_t n = ::read(reader.get(), buffer, sizeof(buffer));
    EXPECT_EQ(std::string(buffer, n > 0 ? static_cast<std::size_t>(n) : 0), "last words\n");
  }
}

TEST_F(Regression, Bug10_ADeleteDoesNotWaitForEverForAGrandchildsPipe) {
  const fs::path out = node().directory() / "bug10-out";
  ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
  containerd::ExecProcessRequest request;
  request.set_id(carrier_);
  request.set_exec_id("holder");
  request.set_stdout(out);
  request.mutable_spec()->set_type_url("types.containerd.io/opencontainers/runtime-spec/1/Process");
  request.mutable_spec()->set_value(R"({"args":["/box","holder"],"cwd":"/"})");
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", request).has_value());
  ASSERT_TRUE(tasks_->start(carrier_, "holder").has_value());
  EXPECT_EQ(tasks_->wait(carrier_, "holder")->exit_status(), 0U);
  const auto begin = Clock::now();
  ASSERT_TRUE(tasks_->remove(carrier_, "holder").has_value());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(Regression, Bug11_AFailedCreateLeavesNoDescriptorAndItsClientSeesTheEnd) {
  const auto fail_once = [&](int i) {
    const Bundle bundle(node(), carrier_, "bug11-" + std::to_string(i), {"nothere"});
    auto request = bundle.create_request();
    request.set_stdin(fifo(bundle, "in"));
    request.set_stdout(fifo(bundle, "out"));
    request.set_stderr(fifo(bundle, "err"));
    const UniqueFd reader(::open(request.stdout().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const auto created = create(request);
    EXPECT_FALSE(created.has_value());
    EXPECT_THAT(message_of(created), HasSubstr("executable file not found"));
    char byte = 0;
    EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "nobody holds the other end";
  };
  fail_once(0);
  const auto before = descriptors().size();
  for (int i = 1; i < 6; ++i) fail_once(i);
  EXPECT_TRUE(await([&] { return descriptors().size() <= before; })) << testing::PrintToString(descriptors());
}

TEST_F(Regression, Bug12_ATerminalGoesWithItsProcess) {
  for (int i = 0; i < 3; ++i) {
    const std::string exec_id = "tty-" + std::to_string(i);
    const fs::path out = node().directory() / ("bug12-" + exec_id);
    ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
    containerd::ExecProcessRequest request;
    request.set_id(carrier_);
    request.set_exec_id(exec_id);
    request.set_terminal(true);
    request.set_stdout(out);
    request.mutable_spec()->set_type_url("types.containerd.io/opencontainers/runtime-spec/1/Process");
    request.mutable_spec()->set_value(R"({"args":["/box","tty"],"cwd":"/","terminal":true})");
    ASSERT_TRUE(tasks_->call<containerd::Empty>("Exec", request).has_value());
    const UniqueFd reader(::open(out.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const auto started = tasks_->start(carrier_, exec_id);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    EXPECT_EQ(tasks_->wait(carrier_, exec_id)->exit_status(), 0U);
    // Not deleted yet, and closed all the same.
    EXPECT_TRUE(await([&] { return count_descriptors("ptmx") == 0; })) << testing::PrintToString(descriptors());
  }
}

TEST_F(Regression, Bug13_NoLoggerAndNoPipeOfOneIsLeft) {
  const auto before = count_descriptors("pipe:");
  const Bundle& bundle = make_bundle("bug13", {"/box", "err"});
  const auto logger = bundle.path() / "logger";
  std::ofstream(logger) << "#!/bin/sh\necho $$ >" << (bundle.path() / "pid").string() << "\nexec 5>&-\ncat <&3\n";
  fs::permissions(logger, fs::perms::owner_all);
  auto request = bundle.create_request();
  request.set_stdout("binary://" + logger.string());
  request.set_stderr(request.stdout());
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("bug13").has_value());
  ASSERT_TRUE(tasks_->wait("bug13").has_value());
  ASSERT_TRUE(tasks_->remove("bug13").has_value());
  const pid_t pid = std::atoi(read_file(bundle.path() / "pid").value_or("0").c_str());
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(await([&] { return ::kill(pid, 0) != 0; }));
  EXPECT_TRUE(await([&] { return count_descriptors("pipe:") == before; })) << testing::PrintToString(descriptors());
}

TEST_F(Regression, Bug14_Bug15_ContainerdMayDieAndTheShimNoticesNothing) {
  const pid_t before = shim();
  const Bundle& bundle = start_box("bug14", {"/box", "tick", "0"});
  node().stop_containerd(SIGKILL);
  // Lines for a log that nobody reads, events that nobody takes.
  for (int i = 0; i < 20; ++i) {
    const std::string exec_id = "away-" + std::to_string(i);
    ASSERT_TRUE(tasks_->exec(carrier_, exec_id, {i % 2 == 0 ? "nothere" : "/box", "true"}).has_value());
    (void)tasks_->start(carrier_, exec_id);
  }
  EXPECT_EQ(status(bundle.id()), containerd::STATUS_RUNNING);
  ASSERT_TRUE(tasks_->kill(bundle.id(), SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait(bundle.id()).has_value());
  EXPECT_EQ(shim(), before);
  node().start_containerd();
  EXPECT_EQ(node().task_status(carrier_), "RUNNING");
  EXPECT_EQ(shim(), before);
}

TEST_F(Regression, Bug16_AStaleSocketIsReplacedAndNoneIsLeft) {
  const std::string id = node().unique("bug16");
  const std::string path = node().shim_socket(id);
  {
    const UniqueFd stale(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    fs::create_directories(fs::path(path).parent_path());
    ASSERT_EQ(::bind(stale.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_EQ(node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "true"}).status, 0);
  EXPECT_TRUE(await([&] { return !fs::exists(path); }));
  const std::string failing = node().unique("bug16-failing");
  EXPECT_NE(node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, failing, "nothere"}).status, 0);
  EXPECT_TRUE(await([&] { return !fs::exists(node().shim_socket(failing)); }));
  struct stat status = {};
  ASSERT_EQ(::stat(node().shim_socket(carrier_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Regression, Bug17_AShimLeavesWithItsLastContainer) {
  const std::string id = node().unique("bug17");
  EXPECT_EQ(node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, id, "/box", "wait"}).status, 0);
  const pid_t pid = node().shim_pid(id);
  ASSERT_GT(pid, 0);
  node().remove(id);
  EXPECT_TRUE(await([&] { return ::kill(pid, 0) != 0; }, std::chrono::seconds(5)));
}

TEST_F(Regression, Bug18_AShutdownWhileContainersLiveIsNone) {
  const std::string id = start_box("bug18").id();
  containerd::ShutdownRequest request;
  request.set_id(carrier_);
  for (const bool now : {false, true}) {
    request.set_now(now);
    EXPECT_TRUE(tasks_->call<containerd::Empty>("Shutdown", request).has_value());
    EXPECT_EQ(status(id), containerd::STATUS_RUNNING);
    EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
  }
}

TEST_F(Regression, Bug19_PidsOfARunningContainerNeedNoRuntimeThatCouldFail) {
  const Bundle& bundle = make_bundle("bug19", {"/box", "crowd", "2"});
  const auto runtime = make_recording_runtime(bundle.path());
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("bug19").has_value());
  std::ofstream(runtime) << "#!/bin/sh\nexit 1\n";
  containerd::PidsRequest request;
  request.set_id("bug19");
  EXPECT_TRUE(await([&] {
    const auto pids = tasks_->call<containerd::PidsResponse>("Pids", request);
    return pids && pids->processes_size() == 3;
  }));
  containerd::ConnectRequest connect;
  connect.set_id("bug19");
  EXPECT_EQ(tasks_->call<containerd::ConnectResponse>("Connect", connect)->task_pid(), tasks_->state("bug19")->pid());
  std::ofstream(runtime) << "#!/bin/sh\nexec runc \"$@\"\n";
}

TEST_F(Regression, Bug20_KillAndDeleteOfWhatIsOverAreNotFound) {
  const std::string id = start_box("bug20", {"/box", "true"}).id();
  ASSERT_TRUE(tasks_->wait(id).has_value());
  for (const bool all : {false, true}) EXPECT_EQ(code_of(tasks_->kill(id, SIGKILL, {}, all)), Code::kNotFound);
  EXPECT_EQ(tasks_->state(id)->exit_status(), 0U) << "kept";
  ASSERT_TRUE(tasks_->remove(id).has_value());
  for (const bool all : {false, true}) EXPECT_EQ(code_of(tasks_->kill(id, SIGKILL, {}, all)), Code::kNotFound);
  EXPECT_EQ(code_of(tasks_->remove(id)), Code::kNotFound);
}

TEST_F(Regression, Bug21_OfTwoExecsWithOneIdOneWins) {
  containerd::ExecProcessRequest request;
  request.set_id(carrier_);
  request.set_exec_id("same");
  request.mutable_spec()->set_type_url("types.containerd.io/opencontainers/runtime-spec/1/Process");
  request.mutable_spec()->set_value(R"({"args":["/box","wait"],"cwd":"/"})");
  std::vector<Code> codes;
  const auto note = [&codes](const Result<std::string>& answer) { codes.push_back(code_of(answer)); };
  for (int i = 0; i < 3; ++i) tasks_->begin("Exec", request, "v2", note);
  ASSERT_TRUE(tasks_->run_until([&] { return codes.size() == 3; }));
  EXPECT_THAT(codes, testing::UnorderedElementsAre(Code::kOk, Code::kAlreadyExists, Code::kAlreadyExists));
  codes.clear();
  for (int i = 0; i < 2; ++i) start_begin(carrier_, "same", note);
  ASSERT_TRUE(tasks_->run_until([&] { return codes.size() == 2; }));
  EXPECT_THAT(codes, testing::UnorderedElementsAre(Code::kOk, Code::kFailedPrecondition));
}

TEST_F(Regression, Bug22_AFailedCreateLeavesNothingMounted) {
  const Bundle& bundle = make_bundle("bug22", {"nothere"});
  const auto layer = bundle.path() / "layer";
  fs::rename(bundle.rootfs(), layer);
  fs::create_directory(bundle.rootfs());
  auto request = bundle.create_request();
  for (const char* target : {"", "/tmp"}) {
    auto* mount = request.add_rootfs();
    mount->set_type(*target == '\0' ? "bind" : "tmpfs");
    mount->set_source(*target == '\0' ? layer.string() : "tmpfs");
    mount->set_target(target);
    if (*target == '\0') mount->add_options("rbind");
  }
  EXPECT_FALSE(create(request).has_value());
  EXPECT_THAT(mounts_below(bundle.path()), IsEmpty());
  EXPECT_FALSE(fs::exists("/run/containerd/runc/" + node().name() + "/bug22")) << "nor a state of the runtime";
}

TEST_F(Regression, Bug23_AWatchForMemoryGoesWithItsContainer) {
  EXPECT_EQ(live("bug23-warm", {"/box", "true"}), 0);
  const auto before = count_descriptors("anon_inode");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(live("bug23-" + std::to_string(i), {"/box", "true"}), 0);
  EXPECT_EQ(count_descriptors("anon_inode"), before) << testing::PrintToString(descriptors());
}

TEST_F(Regression, Bug24_OptionsThatAreAbsentCrashNothingAndFilesHaveTheirModes) {
  const Bundle& bundle = start_box("bug24");
  for (const char* method : {"Checkpoint", "Update"}) {
    containerd::StateRequest request;  // an id and no options at all
    request.set_id("bug24");
    EXPECT_NE(code_of(tasks_->call<containerd::Empty>(method, request)), Code::kUnavailable) << method;
  }
  EXPECT_EQ(status("bug24"), containerd::STATUS_RUNNING);
  auto request = bundle.create_request();
  request.set_id("bug24-typed");
  request.mutable_options()->set_type_url("evil.v1.Options");
  EXPECT_EQ(code_of(create(request)), Code::kInvalidArgument);
  EXPECT_THAT(message_of(create(request)), HasSubstr("evil.v1.Options"));
  const auto mode_of = [](const fs::path& path) {
    struct stat status = {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0U;
  };
  EXPECT_EQ(mode_of(node().bundle(carrier_) / "address"), 0644U);
  EXPECT_EQ(mode_of(node().bundle(carrier_) / "options.json"), 0600U);
  EXPECT_EQ(mode_of(node().bundle(carrier_)) & 0077U, 0U) << "nobody else looks into a bundle";
}

TEST_F(Regression, Bug24_TheDeleteCommandKnowsTheRootOfTheRuntime) {
  const fs::path root = node().directory() / "own-runc-root";
  const fs::path options = node().directory() / "options.toml";
  std::ofstream(options) << "Root = \"" << root.string() << "\"\n";
  const std::string id = node().unique("bug24-root");
  const Output started = node().ctr({"run", "-d", "--runtime", kWardRuntime, "--runtime-config-path", options.string(),
                                     kBoxImage, id, "/box", "wait"});
  ASSERT_EQ(started.status, 0) << started.err;
  EXPECT_TRUE(fs::exists(root / node().name() / id));
  const pid_t pid = node().task_pid(id);
  ASSERT_TRUE(signal_process(node().shim_pid(id), SIGKILL));
  EXPECT_TRUE(await([&] { return ::kill(pid, 0) != 0 && !fs::exists(root / node().name() / id); }));
  node().remove(id);
}

TEST_F(Regression, Bug25_AHangingPauseHoldsUpNoQuestion) {
  const Bundle& bundle = make_bundle("bug25", {"/box", "wait"});
  const auto runtime = make_recording_runtime(bundle.path(), "pause");
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("bug25").has_value());
  containerd::PauseRequest pause;
  pause.set_id("bug25");
  bool answered = false;
  tasks_->begin("Pause", pause, "v2", [&](const Result<std::string>&) { answered = true; });
  ASSERT_TRUE(await([&] { return status("bug25") == containerd::STATUS_PAUSING; }));
  EXPECT_EQ(node().task_status(carrier_), "RUNNING") << "what `ctr task ls` asks";
  containerd::PidsRequest pids;
  pids.set_id("bug25");
  EXPECT_EQ(tasks_->call<containerd::PidsResponse>("Pids", pids)->processes_size(), 1);
  EXPECT_TRUE(tasks_->call<containerd::StatsResponse>("Stats", pids).has_value());
  EXPECT_FALSE(answered);
  std::ofstream(bundle.path() / "held") << "go\n";
  EXPECT_TRUE(tasks_->run_until([&] { return answered; }));
  EXPECT_EQ(status("bug25"), containerd::STATUS_PAUSED);
  EXPECT_TRUE(tasks_->call<containerd::Empty>("Resume", pause).has_value());
}

}  // namespace
}  // namespace ward::test
