// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/cgroup_controllers.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lib/linux/cgroup_values.h"

namespace ward {
namespace {

constexpr char kHybrid[] =
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    "90 31 0:32 /pod/c /run/containers/c/rootfs/sys/fs/cgroup/memory rw,relatime - cgroup cgroup "
    "rw,memory\n";
constexpr char kMembership[] =
    "9:name=systemd:/s\n4:memory:/ns/a:b\n1:cpu,cpuacct:/ns/c\n0::/ns/u\n";

TEST(CgroupHierarchies, EachControllerHasItsOwnDirectoryOnAHybridHost) {
  const auto hierarchies = CgroupHierarchies::parse(kHybrid);
  EXPECT_FALSE(hierarchies.is_unified());
  EXPECT_EQ(hierarchies.find("memory", kMembership), "/sys/fs/cgroup/memory/ns/a:b")
      << "a path may hold colons";
  EXPECT_EQ(hierarchies.find("cpuacct", kMembership), "/sys/fs/cgroup/cpu,cpuacct/ns/c");
  EXPECT_EQ(hierarchies.find("cpu", kMembership), "/sys/fs/cgroup/cpu,cpuacct/ns/c");
  EXPECT_EQ(hierarchies.find("pids", kMembership), "") << "not mounted";
  EXPECT_EQ(hierarchies.find("mem", kMembership), "");
}

TEST(CgroupHierarchies, AllControllersAreInOneDirectoryOnAUnifiedHost) {
  const auto hierarchies = CgroupHierarchies::parse(
      "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n");
  EXPECT_TRUE(hierarchies.is_unified()) << "a named hierarchy has no controller";
  EXPECT_EQ(hierarchies.find("memory", kMembership), "/sys/fs/cgroup/ns/u");
}

TEST(CgroupHierarchies, TheRootOfAHierarchyIsNoContainers) {
  const auto hierarchies = CgroupHierarchies::parse(kHybrid);
  EXPECT_EQ(hierarchies.find("memory", "4:memory:/\n"), "");
  EXPECT_EQ(hierarchies.find("memory", "4:memory:/../other\n"), "")
      << "outside of our cgroup namespace";
  EXPECT_EQ(hierarchies.find("memory", ""), "");
  EXPECT_EQ(
      CgroupHierarchies::parse("garbage\n - cgroup\n1 2 - cgroup2\n").find("memory", kMembership),
      "");
}

TEST(CgroupHierarchies, ThisHostIsUnderstood) {
  const auto hierarchies = CgroupHierarchies::read();
  ASSERT_TRUE(hierarchies.has_value()) << hierarchies.error().message;
  const auto membership = read_cgroup_membership(::getpid());
  ASSERT_TRUE(membership.has_value());
  const auto directory = hierarchies->find("memory", *membership);
  EXPECT_TRUE(directory.empty() || std::filesystem::exists(directory / "cgroup.procs"))
      << directory;
}

TEST(CgroupValues, NumbersAndTheirAbsence) {
  EXPECT_EQ(parse_cgroup_value("5\n"), 5U);
  EXPECT_EQ(parse_cgroup_value("max\n"), kNoCgroupLimit);
  for (const char* text : {"", "-1", "x", "5x", "18446744073709551616", " 5"})
    EXPECT_FALSE(parse_cgroup_value(text)) << text;
  EXPECT_EQ(find_cgroup_key("oom 1\noom_kill 2\n", "oom_kill"), 2U);
  EXPECT_FALSE(find_cgroup_key("oom_kill_disable 0\noom", "oom_kill"));
}

}  // namespace
}  // namespace ward
