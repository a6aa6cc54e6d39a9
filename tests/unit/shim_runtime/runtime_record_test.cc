// SPDX-License-Identifier: Apache-2.0
// `delete` after the shim's death, on the real cgroup file systems. Needs root.
#include "shim/runtime/runtime_record.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <tuple>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/cgroup_paths.h"
#include "tests/support/await_cgroup.h"

namespace ward::shim::runtime {
namespace {

class RuntimeRecordTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto mounts = parse_cgroup_mounts(read_file("/proc/self/mountinfo").value());
    const std::string name = "ward-test-" + random_hex(6);
    if (!mounts.unified.empty()) cgroups_.unified = mounts.unified / name;
    if (!mounts.freezer.empty()) cgroups_.freezer = mounts.freezer / name;
    for (const auto& directory : {cgroups_.unified, cgroups_.freezer}) {
      if (directory.empty()) continue;
      if (::mkdir(directory.c_str(), 0755) != 0)
        GTEST_SKIP() << "cannot make cgroups here (not root?)";
      cgroups_.all.push_back(directory);
    }
    if (cgroups_.all.empty()) GTEST_SKIP() << "this host has no cgroup hierarchy that freezes";
    child_ = ::fork();
    if (child_ == 0) {
      for (;;) ::pause();
    }
    for (const auto& directory : cgroups_.all)
      std::ofstream(directory / "cgroup.procs") << child_ << std::flush;
  }
  void TearDown() override {
    if (child_ <= 0) return;
    (void)end_processes(cgroups_);
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    (void)remove_cgroups(cgroups_);
  }
  static void freeze(const std::filesystem::path& directory, CgroupKind kind) {
    auto cgroup = Cgroup::open(kind, directory);
    ASSERT_TRUE(cgroup);
    ASSERT_TRUE(cgroup->request_freeze(true));
    ASSERT_TRUE(test::await_frozen(*cgroup));
  }

  OrphanedCgroups cgroups_;
  pid_t child_ = 0;
};

TEST_F(RuntimeRecordTest, I6_WhatIsFrozenInEveryWayEndsAndLeavesNoCgroup) {
  if (!cgroups_.unified.empty()) freeze(cgroups_.unified, CgroupKind::kUnified);
  if (!cgroups_.freezer.empty()) freeze(cgroups_.freezer, CgroupKind::kFreezerV1);
  ASSERT_TRUE(end_processes(cgroups_));
  int status = 0;
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ASSERT_EQ(::mkdir((cgroups_.all.front() / "nested").c_str(), 0755), 0);
  ASSERT_TRUE(remove_cgroups(cgroups_));
  for (const auto& directory : cgroups_.all)
    EXPECT_FALSE(std::filesystem::exists(directory)) << directory;
}

TEST_F(RuntimeRecordTest, TheRuntimesRecordSaysWhichTheyAre) {
  const auto root = std::filesystem::temp_directory_path() / ("ward-orphan-" + random_hex(6));
  std::filesystem::create_directories(root / "c1");
  std::ofstream(root / "c1" / "state.json")
      << R"({"cgroup_paths":{"":"/u/c1","freezer":"/f/c1","pids":"/p/c1","x":7}})";
  const auto found = read_runtime_record(root, "c1").cgroups;
  EXPECT_EQ(found.unified, "/u/c1");
  EXPECT_EQ(found.freezer, "/f/c1");
  EXPECT_EQ(found.all.size(), 3U);
  std::ofstream(root / "c1" / "state.json") << "torn{";
  EXPECT_TRUE(read_runtime_record(root, "c1").cgroups.all.empty());
  EXPECT_TRUE(end_processes(read_runtime_record(root, "none").cgroups));
  std::filesystem::remove_all(root);
}

TEST_F(RuntimeRecordTest, DeletesWhatIsOverAndLeavesWhatIsBusyToTheRuntime) {
  const auto root = std::filesystem::temp_directory_path() / ("ward-orphan-" + random_hex(6));
  std::filesystem::create_directories(root / "c1");
  std::string paths;
  for (const auto& directory : cgroups_.all)
    paths += (paths.empty() ? "\"" : ",\"") + std::to_string(paths.size()) + "\":\"" +
             directory.string() + "\"";
  std::ofstream(root / "c1" / "state.json") << "{\"config\":{},\"cgroup_paths\":{" << paths << "}}";
  EXPECT_FALSE(try_delete(root, "c1")) << "a process lives";
  EXPECT_TRUE(std::filesystem::exists(root / "c1" / "state.json"))
      << "the runtime needs it for its own delete";
  EXPECT_EQ(::kill(child_, 0), 0);
  ASSERT_EQ(::kill(child_, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child_, nullptr, 0), child_);
  const auto nested = cgroups_.all.back() / "nested";
  ASSERT_EQ(::mkdir(nested.c_str(), 0755), 0);
  EXPECT_FALSE(try_delete(root, "c1")) << "a tree may be large, and other containers wait";
  EXPECT_TRUE(std::filesystem::exists(nested));
  ASSERT_EQ(::rmdir(nested.c_str()), 0);
  EXPECT_TRUE(try_delete(root, "c1"));
  EXPECT_FALSE(std::filesystem::exists(root / "c1"));
  for (const auto& directory : cgroups_.all)
    EXPECT_FALSE(std::filesystem::exists(directory)) << directory;
  EXPECT_FALSE(try_delete(root, "c1")) << "no record: nothing is known";
  std::filesystem::remove_all(root);
}

TEST_F(RuntimeRecordTest, SaysWhereAStartOrADeleteIsMoreThanTheRecord) {
  const auto root = std::filesystem::temp_directory_path() / ("ward-orphan-" + random_hex(6));
  std::filesystem::create_directories(root / "c1");
  const auto work = [&](const char* text) {
    std::ofstream(root / "c1" / "state.json") << text;
    const auto record = read_runtime_record(root, "c1");
    return std::tuple(record.is_libcontainers, record.has_work_at_start, record.has_work_at_delete);
  };
  EXPECT_EQ(
      work(
          R"({"config":{"Hooks":{"poststart":null,"poststop":[],"prestart":[{}]}},"intel_rdt_path":""})"),
      std::tuple(true, false, false));
  EXPECT_EQ(work(R"({"config":{"Hooks":{"poststart":[{"path":"/x"}]}}})"),
            std::tuple(true, true, false));
  EXPECT_EQ(work(R"({"config":{"Hooks":{"poststop":[{"path":"/x"}]}}})"),
            std::tuple(true, false, true));
  EXPECT_EQ(work(R"({"config":{},"intel_rdt_path":"/sys/fs/resctrl/c1"})"),
            std::tuple(true, false, true));
  EXPECT_EQ(work("torn{"), std::tuple(false, true, true));
  EXPECT_EQ(work("{}"), std::tuple(false, true, true));
  std::filesystem::remove_all(root);
}

TEST_F(RuntimeRecordTest, OnlyRuncItselfIsTakenForRunc) {
  const auto root = std::filesystem::temp_directory_path() / ("ward-orphan-" + random_hex(6));
  std::filesystem::create_directories(root);
  EXPECT_FALSE(is_plain_runc(root / "runc")) << "absent";
  std::ofstream(root / "runc") << "#!/bin/sh\nexec /usr/sbin/runc \"$@\"\n";
  EXPECT_FALSE(is_plain_runc(root / "runc")) << "a wrapper";
  std::filesystem::copy_file("/proc/self/exe", root / "other-runc");
  EXPECT_FALSE(is_plain_runc(root / "other-runc"));
  std::filesystem::create_directories(root / "bin");
  std::filesystem::create_symlink(root / "other-runc", root / "bin/runc");
  EXPECT_FALSE(is_plain_runc(root / "bin/runc")) << "another runtime that is called runc here";
  std::filesystem::rename(root / "other-runc", root / "runc");
  EXPECT_TRUE(is_plain_runc(root / "runc"));
  std::filesystem::create_symlink(root / "runc", root / "bin/configured");
  EXPECT_TRUE(is_plain_runc(root / "bin/configured")) << "a link to it";
  std::filesystem::remove_all(root);
}

TEST_F(RuntimeRecordTest, I6_NoPathLeadsOutOfTheHierarchies) {
  for (const char* path : {"/..", "/../../tmp", "/a/../../b", "relative", "/", ""})
    EXPECT_TRUE(find_cgroups(path).all.empty()) << path;
}

TEST_F(RuntimeRecordTest, I6_ACgroupThatIsNotTheContainersAloneIsNeverTouched) {
  const auto mounts = parse_cgroup_mounts(read_file("/proc/self/mountinfo").value());
  for (const auto& [unified, freezer] :
       {std::pair(mounts.unified, mounts.freezer),
        std::pair(cgroups_.unified / "..", cgroups_.freezer / "..")}) {
    OrphanedCgroups foreign;
    foreign.unified = unified;
    foreign.freezer = freezer;
    foreign.all = {unified, freezer};
    EXPECT_FALSE(end_processes(foreign)) << unified << freezer;
  }
  EXPECT_EQ(::kill(child_, 0), 0);
}

}  // namespace
}  // namespace ward::shim::runtime
