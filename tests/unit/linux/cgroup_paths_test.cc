// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/cgroup_paths.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "lib/base/file.h"

namespace ward {
namespace {

constexpr std::string_view kHybrid =
    "22 28 0:20 / /proc rw - proc proc rw\n"
    "31 28 0:27 / /sys/fs/cgroup/freezer rw,relatime shared:5 - cgroup cgroup rw,freezer\n"
    "32 28 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "33 28 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST(CgroupPaths, HybridHostHasBothTheUnifiedHierarchyAndTheFreezer) {
  const auto mounts = parse_cgroup_mounts(kHybrid);
  EXPECT_EQ(mounts.unified, "/sys/fs/cgroup/unified");
  EXPECT_EQ(mounts.freezer, "/sys/fs/cgroup/freezer");
}

TEST(CgroupPaths, UnifiedHostHasNoFreezer) {
  const auto mounts =
      parse_cgroup_mounts("33 28 0:29 /kubepods /sys/fs/c\\040g rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(mounts.unified, "/sys/fs/c g");
  EXPECT_EQ(mounts.unified_root, "/kubepods");
  EXPECT_TRUE(mounts.freezer.empty());
}

TEST(CgroupPaths, FavordynmodsOfOneHierarchyHoldsForAll) {
  EXPECT_FALSE(parse_cgroup_mounts(kHybrid).favor_moves);
  EXPECT_TRUE(
      parse_cgroup_mounts("33 28 0:29 / /c rw - cgroup2 cgroup2 rw,nsdelegate,favordynmods\n")
          .favor_moves);
  EXPECT_TRUE(
      parse_cgroup_mounts("33 28 0:29 / /c rw - cgroup cgroup rw,favordynmods,cpu\n").favor_moves);
}

TEST(CgroupPaths, AskedOfTheKernelTheyAreWhatTheWholeTableSays) {
  const auto table = parse_cgroup_mounts(read_file("/proc/self/mountinfo").value());
  const auto asked = read_cgroup_mounts();
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->unified, table.unified);
  EXPECT_EQ(asked->freezer, table.freezer);
  EXPECT_EQ(std::set(asked->all.begin(), asked->all.end()),
            std::set(table.all.begin(), table.all.end()));
  EXPECT_EQ(read_cgroup_mounts("/nowhere").error().code, Code::kNotFound);
}

// In a child with mounts of its own; the last one of a hierarchy that is covered is not taken for
// it.
TEST(CgroupPaths, WhatAnotherMountCoversIsNotThere) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool own = ::unshare(CLONE_NEWNS) == 0 &&
                     ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!own || ::mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, nullptr) != 0) ::_exit(77);
    const auto covered = read_cgroup_mounts();
    const bool none = covered && covered->all.empty();
    const bool again = ::mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr) == 0;
    const auto uncovered = read_cgroup_mounts();
    ::_exit(none && again && uncovered && uncovered->unified == "/sys/fs/cgroup" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mounts of one's own (not root)";
  EXPECT_EQ(status, 0);
}

TEST(CgroupPaths, MembershipIsFoundOnHybridAndOnJoinedControllers) {
  const auto member =
      parse_cgroup_membership("9:name=systemd:/\n6:cpu,freezer:/a:b/c\n4:memory:/m\n0::/u\n");
  EXPECT_EQ(member.freezer, "/a:b/c");
  EXPECT_EQ(member.unified, "/u");
  EXPECT_TRUE(parse_cgroup_membership("no colons\n1:x\n").unified.empty());
}

TEST(CgroupPaths, DirectoriesOutsideOfTheMountAreNotFound) {
  EXPECT_EQ(cgroup_directory("/m", "/", "/a/b"), "/m/a/b");
  EXPECT_EQ(cgroup_directory("/m", "/kube", "/kube/pod"), "/m/pod");
  EXPECT_TRUE(cgroup_directory("/m", "/kube", "/kubelet").empty());
  EXPECT_TRUE(cgroup_directory("/m", "/", "/../other").empty());
  EXPECT_TRUE(cgroup_directory("", "/", "/a").empty());
}

TEST(CgroupPaths, ContainsComparesWholeNames) {
  EXPECT_TRUE(cgroup_contains("/", "/a"));
  EXPECT_TRUE(cgroup_contains("/a", "/a"));
  EXPECT_TRUE(cgroup_contains("/a", "/a/b"));
  EXPECT_FALSE(cgroup_contains("/a", "/ab"));
  EXPECT_FALSE(cgroup_contains("/a/b", "/a"));
}

}  // namespace
}  // namespace ward
