// SPDX-License-Identifier: Apache-2.0
// Bugs that other shims had, each with its number in docs/shim-contract.md. What is said there of a
// bug must not come true here. This file: sockets, shims, states, mounts, options, locks (Bug16 to
// Bug25).
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/linux/cgroup_controllers.h"
#include "tests/integration/regression_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

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
  EXPECT_EQ(
      node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "true"}).status,
      0);
  EXPECT_TRUE(await([&] { return !fs::exists(path); }));
  const std::string failing = node().unique("bug16-failing");
  EXPECT_NE(
      node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, failing, "nothere"}).status,
      0);
  EXPECT_TRUE(await([&] { return !fs::exists(node().shim_socket(failing)); }));
  struct stat status = {};
  ASSERT_EQ(::stat(node().shim_socket(carrier_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Regression, Bug17_AShimLeavesWithItsLastContainer) {
  const std::string id = node().unique("bug17");
  EXPECT_EQ(
      node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, id, "/box", "wait"}).status,
      0);
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
  EXPECT_EQ(tasks_->call<containerd::ConnectResponse>("Connect", connect)->task_pid(),
            tasks_->state("bug19")->pid());
  std::ofstream(runtime) << "#!/bin/sh\nexec runc \"$@\"\n";
}

TEST_F(Regression, Bug20_KillAndDeleteOfWhatIsOverAreNotFound) {
  const std::string id = start_box("bug20", {"/box", "true"}).id();
  ASSERT_TRUE(tasks_->wait(id).has_value());
  for (const bool all : {false, true})
    EXPECT_EQ(code_of(tasks_->kill(id, SIGKILL, {}, all)), Code::kNotFound);
  EXPECT_EQ(tasks_->state(id)->exit_status(), 0U) << "kept";
  ASSERT_TRUE(tasks_->remove(id).has_value());
  for (const bool all : {false, true})
    EXPECT_EQ(code_of(tasks_->kill(id, SIGKILL, {}, all)), Code::kNotFound);
  EXPECT_EQ(code_of(tasks_->remove(id)), Code::kNotFound);
}

TEST_F(Regression, Bug21_OfTwoExecsWithOneIdOneWins) {
  containerd::ExecProcessRequest request;
  request.set_id(carrier_);
  request.set_exec_id("same");
  request.mutable_spec()->set_type_url("types.containerd.io/opencontainers/runtime-spec/1/Process");
  request.mutable_spec()->set_value(R"({"args":["/box","wait"],"cwd":"/"})");
  std::vector<Code> codes;
  const auto note = [&codes](const Result<std::string>& answer) {
    codes.push_back(code_of(answer));
  };
  for (int i = 0; i < 3; ++i) tasks_->begin("Exec", request, "v2", note);
  ASSERT_TRUE(tasks_->run_until([&] { return codes.size() == 3; }));
  EXPECT_THAT(codes,
              testing::UnorderedElementsAre(Code::kOk, Code::kAlreadyExists, Code::kAlreadyExists));
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
  EXPECT_FALSE(fs::exists("/run/containerd/runc/" + node().name() + "/bug22"))
      << "nor a state of the runtime";
}

TEST_F(Regression, Bug23_AWatchForMemoryGoesWithItsContainer) {
  if (!has_cgroup_file("memory", "memory.oom_control") &&
      !has_cgroup_file("memory", "memory.events"))
    GTEST_SKIP() << "no memory controller";
  EXPECT_EQ(live("bug23-warm", {"/box", "true"}), 0);
  // An eventfd watches a v1 cgroup, inotify one of v2; the loop has an eventfd of its own.
  const auto watches = [&] {
    return count_descriptors("[eventfd]") + count_descriptors("inotify");
  };
  const auto before = watches();
  for (int i = 0; i < 5; ++i) {
    const std::string id = start_box("bug23-" + std::to_string(i)).id();
    EXPECT_TRUE(await([&] { return watches() == before + 1; }))
        << testing::PrintToString(descriptors());
    ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
    ASSERT_TRUE(tasks_->wait(id).has_value());
    ASSERT_TRUE(tasks_->remove(id).has_value());
    EXPECT_EQ(watches(), before) << testing::PrintToString(descriptors());
  }
}

TEST_F(Regression, Bug24_OptionsThatAreAbsentCrashNothing) {
  const Bundle& bundle = start_box("bug24");
  for (const char* method : {"Checkpoint", "Update"}) {
    containerd::StateRequest request;  // an id and no options at all
    request.set_id("bug24");
    EXPECT_EQ(code_of(tasks_->call<containerd::Empty>(method, request)), Code::kInvalidArgument)
        << method;
  }
  EXPECT_EQ(status("bug24"), containerd::STATUS_RUNNING);
  auto request = bundle.create_request();
  request.set_id("bug24-typed");
  request.mutable_options()->set_type_url("evil.v1.Options");
  EXPECT_EQ(code_of(create(request)), Code::kInvalidArgument);
  EXPECT_THAT(message_of(create(request)), HasSubstr("evil.v1.Options"));
}

TEST_F(Regression, Bug24_FilesHaveTheirModesWhateverTheUmaskOfContainerd) {
  node().stop_containerd(SIGTERM);
  const mode_t usual = ::umask(0);
  node().start_containerd();
  ::umask(usual);
  const std::string id = node().unique("bug24-umask");
  EXPECT_EQ(
      node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, id, "/box", "wait"}).status,
      0);
  {
    TaskClient tasks(node().shim_socket(id));
    ASSERT_TRUE(tasks.exec(id, "e1", {"/box", "wait"}).has_value());
    ASSERT_TRUE(tasks.start(id, "e1").has_value());
  }
  const auto mode_of = [&id](const char* file) {
    struct stat status = {};
    return ::stat((node().bundle(id) / file).c_str(), &status) == 0 ? status.st_mode & 0777U : ~0U;
  };
  EXPECT_EQ(mode_of("address"), 0644U);
  EXPECT_EQ(mode_of("options.json"), 0600U);
  EXPECT_EQ(mode_of("runtime"), 0600U);
  EXPECT_EQ(mode_of("init.pid"), 0644U) << "the runtime's";
  EXPECT_EQ(mode_of("exec-e1.pid"), 0644U) << "the runtime's";
  EXPECT_EQ(mode_of("") & 0077U, 0U) << "nobody else looks into a bundle";
  node().remove(id);
  node().stop_containerd(SIGTERM);
  node().start_containerd();
}

TEST_F(Regression, Bug24_TheDeleteCommandKnowsTheRootOfTheRuntime) {
  const fs::path root = node().directory() / "own-runc-root";
  const fs::path options = node().directory() / "options.toml";
  std::ofstream(options) << "Root = \"" << root.string() << "\"\n";
  const std::string id = node().unique("bug24-root");
  const Output started =
      node().ctr({"run", "-d", "--runtime", kWardRuntime, "--runtime-config-path", options.string(),
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

TEST_F(Regression, Bug25_ADeleteThatWaitsForOutputHoldsUpNoQuestion) {
  const Bundle& bundle = make_bundle("bug25-drain", {"/box", "wait"});
  auto request = bundle.create_request();
  request.set_stdout(fifo(bundle, "out"));
  ASSERT_TRUE(create(request).has_value());
  const auto started = tasks_->start("bug25-drain");
  ASSERT_TRUE(started.has_value());
  // Nothing of a container outlives its pid namespace; whoever else holds its output looks the same
  // to the shim.
  const std::string output = "/proc/" + std::to_string(started->pid()) + "/fd/1";
  UniqueFd holder(::open(output.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(holder) << output;
  // And a session whose grandchild does so.
  const std::filesystem::path out = node().directory() / "bug25-out";
  ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
  ASSERT_TRUE(exec_on("bug25-holder", R"(["/box","holder"])", out, false).has_value());
  ASSERT_TRUE(tasks_->start(carrier_, "bug25-holder").has_value());
  ASSERT_TRUE(tasks_->wait(carrier_, "bug25-holder").has_value());

  ASSERT_TRUE(tasks_->kill("bug25-drain", SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait("bug25-drain").has_value());
  bool deleted = false;
  bool session_deleted = false;
  containerd::DeleteRequest remove;
  remove.set_id("bug25-drain");
  tasks_->begin("Delete", remove, "v2",
                [&](const Result<std::string>& answer) { deleted = answer.has_value(); });
  remove.set_id(carrier_);
  remove.set_exec_id("bug25-holder");
  tasks_->begin("Delete", remove, "v2",
                [&](const Result<std::string>& answer) { session_deleted = answer.has_value(); });

  EXPECT_EQ(status("bug25-drain"), containerd::STATUS_STOPPED);
  EXPECT_EQ(code_of(tasks_->kill("bug25-drain", SIGKILL)), Code::kNotFound);
  EXPECT_EQ(status(carrier_, "bug25-holder"), containerd::STATUS_STOPPED);
  EXPECT_TRUE(tasks_->kill(carrier_, 0).has_value());
  for (const std::string& id : {std::string("bug25-drain"), carrier_}) {
    containerd::PidsRequest pids;
    pids.set_id(id);
    EXPECT_TRUE(tasks_->call<containerd::PidsResponse>("Pids", pids).has_value()) << id;
  }
  EXPECT_FALSE(deleted) << "all of that was answered while it waited";
  EXPECT_FALSE(session_deleted);
  holder.reset();
  EXPECT_TRUE(tasks_->run_until([&] { return deleted && session_deleted; }));
}

}  // namespace
}  // namespace ward::test
