// SPDX-License-Identifier: Apache-2.0
// What a bad day brings: readers that go away, a containerd that stands still, no descriptors, no space, a storm of
// short-lived children, many starts at once. WARD_TEST_LONG=1 asks for the long forms.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include "lib/linux/process_info.h"
#include "tests/integration/node_test_base.h"
#include "tests/integration/remains.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

bool long_forms() {
  const char* wanted = std::getenv("WARD_TEST_LONG");
  return wanted != nullptr && *wanted == '1';
}

std::vector<pid_t> zombies_below(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    std::getline(file, text);
    const auto name_end = text.rfind(") ");
    const auto stat = read_stat(pid);
    if (name_end != std::string::npos && text[name_end + 2] == 'Z' && stat && stat->parent == parent)
      found.push_back(pid);
  }
  return found;
}

class Robustness : public NodeTest {
 protected:
  static Output run_box(const std::string& id, const std::vector<std::string>& command, const char* how = "--rm") {
    std::vector<std::string> arguments{"run", how, "--runtime", kWardRuntime, kBoxImage, id};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return node().ctr(arguments);
  }
  static std::string start_box(const std::string& prefix, const std::vector<std::string>& command) {
    std::string id = node().unique(prefix);
    const Output started = run_box(id, command, "-d");
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static Output exec_in(const std::string& id, const std::string& session, const std::vector<std::string>& command) {
    std::vector<std::string> arguments{"task", "exec", "--exec-id", session, id};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return node().ctr(arguments);
  }
};

TEST_F(Robustness, AReaderThatVanishesInTheMiddleOfTheOutputEndsNothing) {
  const std::string id = node().unique("reader");
  {
    Child reader(node().ctr_command({"run", "--runtime", kWardRuntime, kBoxImage, id, "/box", "tick", "0"}),
                 node().environment());
    ASSERT_TRUE(reader.await_output("tick ")) << reader.err();
    reader.signal(SIGKILL);
  }
  const pid_t shim = node().shim_pid(id);
  EXPECT_EQ(node().task_status(id), "RUNNING");
  Child next(node().ctr_command({"task", "attach", id}), node().environment());
  EXPECT_TRUE(next.await_output("tick ")) << next.err();
  next.signal(SIGKILL);
  EXPECT_EQ(exec_in(id, "e1", {"/box", "exit", "5"}).status, 5);
  EXPECT_EQ(node().shim_pid(id), shim);
  expect_nothing_is_left_of(node(), id, "a reader that vanished");
}

TEST_F(Robustness, WhileContainerdStandsStillNothingIsLostAndAFullLogHoldsNobodyUp) {
  auto events = std::make_unique<Events>(node());
  std::vector<std::string> ids;
  std::vector<pid_t> pids;
  for (int i = 0; i < 3; ++i) ids.push_back(start_box("still", {"/box", "wait"}));
  for (const auto& id : ids) pids.push_back(node().task_pid(id));
  for (const pid_t pid : pids) ASSERT_GT(pid, 0);
  ::kill(node().containerd_pid(), SIGSTOP);
  for (const auto& id : ids) {  // what a shim has to say finds no room
    const UniqueFd log(::open((node().bundle(id) / "log").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    const std::string line(1023, 'x');
    while (log && ::write(log.get(), (line + "\n").data(), line.size() + 1) > 0) continue;
  }
  for (const pid_t pid : pids) ::kill(pid, SIGTERM);
  const bool ended =
      await([&] { return std::all_of(pids.begin(), pids.end(), [](pid_t pid) { return ::kill(pid, 0) != 0; }); });
  ::kill(node().containerd_pid(), SIGCONT);
  EXPECT_TRUE(ended) << "a shim does not reap while containerd stands still";
  for (const auto& id : ids) {
    EXPECT_THAT(events->await(id, "exit"), ElementsAre("create", "start", "exit"));
    EXPECT_EQ(node().task_status(id), "STOPPED");
  }
  events.reset();  // a process of this node, too
  for (const auto& id : ids) node().remove(id);
  expect_no_remains(node(), "containerd stood still");
}

TEST_F(Robustness, WithoutDescriptorsAnExecFailsClearlyAndTheNextOneWorks) {
  const std::string id = start_box("emfile", {"/box", "wait"});
  const pid_t shim = node().shim_pid(id);
  ASSERT_GT(shim, 0);
  ASSERT_EQ(exec_in(id, "e0", {"/box", "true"}).status, 0);
  const fs::path descriptors = "/proc/" + std::to_string(shim) + "/fd";
  const auto open = std::distance(fs::directory_iterator(descriptors), fs::directory_iterator());
  rlimit before{};
  ASSERT_EQ(::prlimit(shim, RLIMIT_NOFILE, nullptr, &before), 0);
  for (const long spare : {0, 1, 2, 3, 5, 8}) {
    const rlimit tight{static_cast<rlim_t>(open + spare), before.rlim_max};
    ASSERT_EQ(::prlimit(shim, RLIMIT_NOFILE, &tight, nullptr), 0);
    const Output output = exec_in(id, "tight" + std::to_string(spare), {"/box", "exit", "6"});
    ASSERT_EQ(::prlimit(shim, RLIMIT_NOFILE, &before, nullptr), 0);
    EXPECT_NE(output.status, -1) << "hangs with " << spare << " descriptors to spare";
    if (output.status != 6) {
      EXPECT_THAT(output.err, testing::ContainsRegex("[Tt]oo many open files|EMFILE|127|exit status")) << spare;
    }
    EXPECT_EQ(node().task_status(id), "RUNNING") << spare;
    EXPECT_EQ(exec_in(id, "wide" + std::to_string(spare), {"/box", "exit", "7"}).status, 7) << spare;
  }
  EXPECT_EQ(node().shim_pid(id), shim);
  const auto open_now = [&] { return std::distance(fs::directory_iterator(descriptors), fs::directory_iterator()); };
  EXPECT_TRUE(await([&] { return open_now() <= open + 2; }, std::chrono::seconds(5))) << open << ", " << open_now();
  expect_nothing_is_left_of(node(), id, "EMFILE");
}

TEST_F(Robustness, OnAFullFileSystemAStartFailsClearlyAndLeavesNothing) {
  constexpr long kTotal = 256L << 10;
  const fs::path bundles = node().bundle("x").parent_path();
  fs::create_directories(bundles);
  ASSERT_EQ(::mount("full", bundles.c_str(), "tmpfs", 0, "size=256k,mode=711"), 0);
  unsigned failed = 0;
  for (long free = 0; free <= 48L << 10; free += 4L << 10) {
    {
      std::ofstream filler(bundles / ".filler");
      filler << std::string(static_cast<std::size_t>(kTotal - free), 'x');
    }
    const std::string id = node().unique("full");
    const Output output = run_box(id, {"/box", "exit", "3"});
    fs::remove(bundles / ".filler");
    EXPECT_NE(output.status, -1) << "hangs with " << free << " bytes free";
    if (output.status != 3) {
      ++failed;
      EXPECT_THAT(output.err, HasSubstr("o space left on device")) << free;
    }
    node().remove(id);
    // containerd may find no room for its own files after `start`; it then forgets the shim, whichever shim that is.
    if (const pid_t forgotten = node().shim_pid(id); output.status != 3 && forgotten > 0) ::kill(forgotten, SIGTERM);
    await([&] { return remains_of_containers(node()).size() <= 1; }, std::chrono::seconds(10));
    EXPECT_THAT(remains_of_containers(node()), ElementsAre(HasSubstr(bundles.string()))) << free;  // only the tmpfs
    EXPECT_FALSE(fs::exists(node().bundle(id))) << free;
    EXPECT_EQ(run_box(id, {"/box", "exit", "4"}).status, 4) << "second start after " << free;
  }
  EXPECT_GT(failed, 0U) << "space was never short";
  ::umount2(bundles.c_str(), MNT_DETACH);
  expect_no_remains(node(), "ENOSPC");
}

TEST_F(Robustness, AStormOfShortLivedChildrenLosesNoExitAndLeavesNoZombie) {
  const std::string children = long_forms() ? "50000" : "3000";
  const std::string id = start_box("storm", {"/box", "wait"});
  const pid_t shim = node().shim_pid(id);
  std::vector<std::thread> sessions;
  for (int i = 0; i < 3; ++i) {
    sessions.emplace_back([&, i] {
      const Output output = exec_in(id, "s" + std::to_string(i), {"/box", "fork", children});
      EXPECT_EQ(output.out, "forked " + children + "\n") << output.err;
      EXPECT_EQ(output.status, 0);
    });
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(exec_in(id, "e" + std::to_string(i), {"/box", "exit", "9"}).status, 9);
  for (auto& session : sessions) session.join();
  // A session that dies with children of its own: they become the container's init's, or the shim's.
  EXPECT_EQ(exec_in(id, "holder", {"/box", "holder"}).status, 0);
  EXPECT_TRUE(await([&] { return zombies_below(shim).empty(); }, std::chrono::seconds(5)));
  expect_nothing_is_left_of(node(), id, "a storm of children");
}

TEST_F(Robustness, ManyLivesFourAtATimeLeaveNothing) {
  constexpr int kAtATime = 4;
  const int lives = (long_forms() ? 2000 : 200) / kAtATime;
  std::vector<std::vector<std::string>> ids(kAtATime);
  for (auto& own : ids) {
    for (int i = 0; i < lives; ++i) own.push_back(node().unique("many"));
  }
  std::vector<std::thread> lanes;
  for (const auto& own : ids) {
    lanes.emplace_back([&own] {
      for (std::size_t i = 0; i < own.size(); ++i) {
        const int code = static_cast<int>(i % 200);
        const Output output = run_box(own[i], {"/box", "exit", std::to_string(code)});
        EXPECT_EQ(output.status, code) << own[i] << ": " << output.err;
        if (output.status != code) return;
      }
    });
  }
  for (auto& lane : lanes) lane.join();
  expect_no_remains(node(), "many lives");
}

TEST_F(Robustness, ManyContainersAcrossAKillOfContainerdLeaveNothing) {
  const int count = long_forms() ? 100 : 10;
  std::vector<std::string> ids;
  std::vector<pid_t> pids;
  for (int i = 0; i < count; ++i) ids.push_back(start_box("across", {"/box", "wait"}));
  for (const auto& id : ids) pids.push_back(node().task_pid(id));
  for (const pid_t pid : pids) ASSERT_GT(pid, 0);
  node().stop_containerd(SIGKILL);
  // Every other one ends while nobody listens.
  for (std::size_t i = 0; i < pids.size(); i += 2) ::kill(pids[i], SIGTERM);
  node().start_containerd();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool ends = i % 2 == 0;
    EXPECT_TRUE(await([&] { return (node().task_status(ids[i]) != "RUNNING") == ends; })) << ids[i];
    if (!ends) {
      EXPECT_EQ(node().task_pid(ids[i]), pids[i]);
    }
  }
  for (const auto& id : ids) node().remove(id);
  expect_no_remains(node(), "a kill of containerd");
}

}  // namespace
}  // namespace ward::test
