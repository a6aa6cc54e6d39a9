// SPDX-License-Identifier: Apache-2.0
// Kills for want of memory: cgroup2 from a directory that looks like one, v1 on the real
// controller.
#include "shim/task/oom_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/linux/cgroup_controllers.h"

namespace ward::shim::task {
namespace {

namespace fs = std::filesystem;

class Oom : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "oom-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(directory_); }
  // In place, as the kernel changes it.
  void set_kills(int count) const {
    std::ofstream(directory_ / "memory.events")
        << "low 0\nhigh 0\nmax 9\noom 7\noom_kill " << count << "\n";
  }
  std::shared_ptr<OomWatch> open_unified() {
    auto watch = OomWatch::open(loop_, OomWatch::Mode::kUnified, directory_, [this] { ++told_; });
    EXPECT_TRUE(watch.has_value()) << watch.error().message;
    return watch ? *watch : nullptr;
  }
  bool run_until(int told) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (told_ < told && std::chrono::steady_clock::now() < end) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(10));
    }
    loop_.poll();
    return told_ == told;
  }

  asio::io_context loop_{1};
  fs::path directory_;
  int told_ = 0;
};

int count_inotify_instances() {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (fs::read_symlink(entry.path(), gone).string() == "anon_inode:inotify") ++count;
  }
  return count;
}

// Of a process that asks for more memory than its cgroup may have: as waitpid tells.
int end_of_a_hungry_child(const fs::path& cgroup) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int procs = ::open((cgroup / "cgroup.procs").c_str(), O_WRONLY);
    if (::write(procs, "0", 1) != 1) ::_exit(3);
    constexpr std::size_t kSize = 64U << 20U;
    auto* memory = static_cast<char*>(
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (std::size_t i = 0; i < kSize; i += 4096) memory[i] = 1;
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST_F(Oom, UnifiedTellsOfEachIncreaseOfOomKillAndOfNothingElse) {
  set_kills(0);
  const auto watch = open_unified();
  std::ofstream(directory_ / "memory.events") << "low 0\nhigh 5\nmax 9\noom 8\noom_kill 0\n";
  loop_.run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(told_, 0) << "reaching a limit is not yet a kill";
  watch->check();
  EXPECT_EQ(told_, 0) << "reaching a limit is not yet a kill";
  set_kills(1);
  watch->check();
  EXPECT_EQ(told_, 1);
  set_kills(3);
  watch->check();
  EXPECT_EQ(told_, 2);
}

TEST_F(Oom, N01_UnifiedIsWokenByARealKillWithoutAnInotifyInstance) {
  const auto hierarchies = CgroupHierarchies::read();
  ASSERT_TRUE(hierarchies.has_value());
  if (!hierarchies->is_unified()) GTEST_SKIP() << "the memory controller is not on cgroup v2 here";
  const auto cgroup = hierarchies->find("memory", "0::/ward-test-oom-" + random_hex(6) + "\n");
  if (cgroup.empty() || !fs::create_directory(cgroup))
    GTEST_SKIP() << "cannot make a memory cgroup here";
  if (!fs::exists(cgroup / "memory.events")) {
    fs::remove(cgroup);
    GTEST_SKIP() << "children of the root have no memory controller here";
  }
  std::ofstream(cgroup / "memory.max") << (8 << 20);
  std::ofstream(cgroup / "memory.swap.max") << 0;
  auto watch = OomWatch::open(loop_, OomWatch::Mode::kUnified, cgroup, [this] { ++told_; });
  ASSERT_TRUE(watch.has_value()) << watch.error().message;
  EXPECT_EQ(count_inotify_instances(), 0);
  for (int kills = 1; kills <= 3; ++kills) {
    const int status = end_of_a_hungry_child(cgroup);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    EXPECT_TRUE(run_until(kills)) << told_;
  }
  (*watch)->stop();
  fs::remove(cgroup);
}

TEST_F(Oom, AKillBeforeTheWatchIsToldOnce) {
  set_kills(2);
  const auto watch = open_unified();
  EXPECT_EQ(told_, 1);
  watch->check();
  EXPECT_EQ(told_, 1);
}

TEST_F(Oom, ACheckFindsAKillBeforeTheLoopDoesAndItIsToldOnce) {
  set_kills(0);
  const auto watch = open_unified();
  set_kills(1);
  watch->check();
  EXPECT_EQ(told_, 1);
  loop_.run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(told_, 1);
}

TEST_F(Oom, AStoppedWatchIsSilentAndARemovedCgroupEndsIt) {
  set_kills(0);
  auto watch = open_unified();
  watch->stop();
  set_kills(1);
  loop_.run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(told_, 0);
  watch = open_unified();
  EXPECT_EQ(told_, 1);
  fs::remove_all(directory_);
  loop_.restart();
  loop_.run();  // comes back: nothing is watched any more
}

TEST_F(Oom, WithoutAMemoryControllerThereIsNothingToWatch) {
  const auto watch = OomWatch::open(loop_, OomWatch::Mode::kUnified, directory_, [] {});
  ASSERT_FALSE(watch.has_value());
  EXPECT_EQ(watch.error().code, Code::kNotFound);
}

// Of version 1, with room for 8 MiB; empty where none can be made.
fs::path make_small_cgroup() {
  const auto hierarchies = CgroupHierarchies::read();
  EXPECT_TRUE(hierarchies.has_value());
  if (!hierarchies || hierarchies->is_unified()) return {};
  auto cgroup = hierarchies->find("memory", "1:memory:/ward-test-oom-" + random_hex(6) + "\n");
  if (cgroup.empty() || !fs::create_directory(cgroup)) return {};
  std::ofstream(cgroup / "memory.limit_in_bytes") << (8 << 20);
  return cgroup;
}

TEST_F(Oom, V1TellsOfARealKill) {
  const auto cgroup = make_small_cgroup();
  if (cgroup.empty()) GTEST_SKIP() << "no memory cgroup of version 1 can be made here";
  auto watch = OomWatch::open(loop_, OomWatch::Mode::kV1, cgroup, [this] { ++told_; });
  ASSERT_TRUE(watch.has_value()) << watch.error().message;
  const int status = end_of_a_hungry_child(cgroup);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_TRUE(run_until(1)) << told_;
  (*watch)->check();
  EXPECT_EQ(told_, 1) << "one kill, told once";
  // The removal of the cgroup signals the same descriptor, and is no kill.
  fs::remove(cgroup);
  loop_.restart();
  loop_.run_for(std::chrono::seconds(20));
  EXPECT_EQ(told_, 1);
  EXPECT_FALSE(fs::exists(cgroup));
}

// Each process that waits for memory is a notification or more, and each kill is one event.
TEST_F(Oom, F17_V1TellsOfEachKillOnceHoweverManyWaitForMemory) {
  const auto cgroup = make_small_cgroup();
  if (cgroup.empty()) GTEST_SKIP() << "no memory cgroup of version 1 can be made here";
  auto watch = OomWatch::open(loop_, OomWatch::Mode::kV1, cgroup, [this] { ++told_; });
  ASSERT_TRUE(watch.has_value()) << watch.error().message;
  std::vector<std::thread> hungry;
  for (int i = 0; i < 4; ++i) hungry.emplace_back([&] { end_of_a_hungry_child(cgroup); });
  for (auto& child : hungry) child.join();
  const auto counters = read_file(cgroup / "memory.oom_control").value_or("");
  const auto at = counters.find("oom_kill ");
  ASSERT_NE(at, std::string::npos) << counters;
  const int kills = std::stoi(counters.substr(at + 9));
  EXPECT_GE(kills, 3) << counters;
  EXPECT_TRUE(run_until(kills)) << told_ << " of " << kills;
  loop_.restart();
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_EQ(told_, kills);
  (*watch)->stop();
  fs::remove(cgroup);
}

}  // namespace
}  // namespace ward::shim::task
