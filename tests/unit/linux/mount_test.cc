// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/mount.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

namespace ward {
namespace {

TEST(MountOptions, FlagsAreTakenOutAndTheRestIsData) {
  const auto options = parse_mount_options({"ro", "nosuid", "lowerdir=/a:/b", "upperdir=/c", "rshared", "rbind"});
  EXPECT_EQ(options.flags, static_cast<unsigned long>(MS_RDONLY | MS_NOSUID | MS_BIND | MS_REC));
  EXPECT_EQ(options.propagation, static_cast<unsigned long>(MS_SHARED | MS_REC));
  EXPECT_EQ(options.data, "lowerdir=/a:/b,upperdir=/c");
}

TEST(MountOptions, ALaterWordTakesAnEarlierOneBack) {
  EXPECT_EQ(parse_mount_options({"ro", "rw", "noexec", "exec"}), MountOptions{});
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

TEST(UnmountTree, NothingMountedIsSuccess) {
  EXPECT_TRUE(unmount_tree("/usr/share/doc").has_value());
  EXPECT_TRUE(unmount_tree("/no/such/path").has_value());
}

}  // namespace
}  // namespace ward
