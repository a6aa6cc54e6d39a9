// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/mount.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cstdlib>

namespace ward {
namespace {

TEST(MountOptions, FlagsAreTakenOutAndTheRestIsData) {
  const auto options =
      parse_mount_options({"ro", "nosuid", "lowerdir=/a:/b", "upperdir=/c", "rshared", "rbind"});
  EXPECT_EQ(options.flags, static_cast<unsigned long>(MS_RDONLY | MS_NOSUID | MS_BIND | MS_REC));
  EXPECT_EQ(options.propagation, static_cast<unsigned long>(MS_SHARED | MS_REC));
  EXPECT_EQ(options.data, "lowerdir=/a:/b,upperdir=/c");
}

TEST(MountOptions, ALaterWordTakesAnEarlierOneBack) {
  EXPECT_EQ(parse_mount_options({"ro", "rw", "noexec", "exec"}), MountOptions{});
}

TEST(MountOptions, NotesOfProgramsToThemselvesDoNotReachTheKernel) {
  EXPECT_EQ(
      parse_mount_options({"X-containerd.mkdir.path=/x", "x-systemd.automount", "size=1m"}).data,
      "size=1m");
  EXPECT_TRUE(parse_mount_options({"loop", "ro"}).loop);
}

TEST(LowerDirectories, AreWrittenRelativeToTheDirectoryThatAllAreIn) {
  const auto shortened = shorten_lower_directories(
      "workdir=/s/9/work,upperdir=/s/9/fs,lowerdir=/s/x/1/fs:/s/x/2/fs:/s/x/3/fs,index=off");
  EXPECT_EQ(shortened.directory, "/s/x");
  EXPECT_EQ(shortened.data, "workdir=/s/9/work,upperdir=/s/9/fs,lowerdir=1/fs:2/fs:3/fs,index=off");
  const auto apart = shorten_lower_directories("lowerdir=/s/x/10/fs:/s/x/1/fs:/s/xy/2/fs");
  EXPECT_EQ(apart.directory, "/s");
  EXPECT_EQ(apart.data, "lowerdir=x/10/fs:x/1/fs:xy/2/fs");
  const auto nested = shorten_lower_directories("lowerdir=/s/x/1:/s/x/1/fs");
  EXPECT_EQ(nested.directory, "/s/x");
  EXPECT_EQ(nested.data, "lowerdir=1:1/fs");
}

TEST(LowerDirectories, StayAsTheyAreWhereNothingCanBeGained) {
  for (const char* data : {"", "upperdir=/a", "lowerdir=", "lowerdir=relative/a:relative/b",
                           "lowerdir=/a:/b", "lowerdir=/a/b\\:c:/a/d", "xlowerdir=/a/b:/a/c"}) {
    EXPECT_EQ(shorten_lower_directories(data).directory, "") << data;
    EXPECT_EQ(shorten_lower_directories(data).data, data);
  }
}

TEST(ResolveInside, ALinkCannotLeadOut) {
  std::string pattern = std::filesystem::temp_directory_path() / "inside-XXXXXX";
  const std::filesystem::path root = ::mkdtemp(pattern.data());
  std::filesystem::create_directories(root / "etc");
  std::filesystem::create_directory_symlink("/etc", root / "absolute");
  std::filesystem::create_directory_symlink("../../../../etc", root / "relative");
  for (const char* path : {"etc", "absolute", "relative", "../../etc", "/etc"}) {
    const auto found = resolve_inside(root, path);
    ASSERT_TRUE(found.has_value()) << path << found.error().message;
    EXPECT_EQ(*found, root / "etc") << path;
  }
  EXPECT_EQ(resolve_inside(root, "nowhere").error().code, Code::kNotFound);
  std::filesystem::remove_all(root);
}

TEST(Mountinfo, FindsWhatIsBelowDeepestAndLatestFirst) {
  const char* text =
      "1 0 0:1 / / rw - ext4 x rw\n"
      "2 1 0:2 / /b/rootfs rw - overlay o rw\n"
      "3 2 0:3 / /b/rootfs/proc rw shared:1 - proc p rw\n"
      "4 1 0:4 / /b/rootfs2 rw - tmpfs t rw\n"
      "5 2 0:5 / /b/rootfs/with\\040space rw - tmpfs t rw\n"
      "broken\n\n";
  EXPECT_EQ(find_mounts_below(text, "/b/rootfs"),
            (std::vector<std::string>{"/b/rootfs/with space", "/b/rootfs/proc", "/b/rootfs"}));
  EXPECT_TRUE(find_mounts_below("", "/b").empty());
}

TEST(UnmountTree, WhatIsMountedBelowGoesThoughThePathItselfIsNoMount) {
  std::string pattern = std::filesystem::temp_directory_path() / "unmount-XXXXXX";
  const std::filesystem::path root = ::mkdtemp(pattern.data());
  std::filesystem::create_directories(root / "a/b");
  const auto mounted = mount_at("tmpfs", "tmpfs", root / "a/b", {"size=64k"});
  if (mounted) {
    EXPECT_TRUE(unmount_tree(root).has_value());
    EXPECT_EQ(::umount2((root / "a/b").c_str(), 0), -1) << "it was still mounted";
  }
  std::filesystem::remove_all(root);
  if (!mounted) GTEST_SKIP() << mounted.error().message;
}

TEST(UnmountTree, NothingMountedIsSuccess) {
  EXPECT_TRUE(unmount_tree("/usr/share/doc").has_value());
  EXPECT_TRUE(unmount_tree("/no/such/path").has_value());
}

}  // namespace
}  // namespace ward
