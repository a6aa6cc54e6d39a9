// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/idmapped_mount.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "lib/linux/mount.h"

namespace ward {
namespace {

namespace fs = std::filesystem;

TEST(IdMap, IsOneLineForEachRange) {
  EXPECT_EQ(parse_id_map("0:100000:65536").value_or(""), "0 100000 65536\n");
  EXPECT_EQ(parse_id_map("0:100000:65536,70000:5:1").value_or(""), "0 100000 65536\n70000 5 1\n");
}

TEST(IdMap, ARangeThatIsNoneIsNamed) {
  for (const char* text : {"", "0", "0:1", "0:1:", "0:1:2:3", "0:1:-2", "0:1:0", "a:1:2",
                           "0:1:5000000000", "0:1:2 "}) {
    const auto map = parse_id_map(text);
    ASSERT_FALSE(map.has_value()) << text;
    EXPECT_EQ(map.error().code, Code::kInvalidArgument);
    EXPECT_NE(map.error().message.find("'" + std::string(text) + "'"), std::string::npos)
        << map.error().message;
  }
  EXPECT_NE(parse_id_map("0:1:2,x").error().message.find("'x'"), std::string::npos);
}

// Files of root and of user 7 on the disk, shown as 100000 and 100007.
class IdmappedMount : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
    std::string pattern = fs::temp_directory_path() / "idmapped-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    target_ = directory_ / "target";
    for (const char* part : {"target", "lower", "lower-2", "upper", "work"})
      fs::create_directory(directory_ / part);
    for (const char* layer : {"lower", "lower-2"}) {
      std::ofstream(directory_ / layer / layer) << layer;
      ASSERT_EQ(::chown((directory_ / layer / layer).c_str(), 7, 8), 0);
    }
    // A file system that cannot map ids is no fault of this code.
    const auto user_namespace = make_user_namespace("0 100000 65536\n", "0 200000 65536\n");
    if (!user_namespace) GTEST_SKIP() << user_namespace.error().message;
    const auto clone = clone_mount(directory_ / "lower", MountTree::kOne);
    ASSERT_TRUE(clone.has_value()) << clone.error().message;
    if (auto ok = map_ids(*clone, *user_namespace, MountTree::kOne); !ok) {
      GTEST_SKIP() << directory_ << ": " << ok.error().message;
    }
  }
  void TearDown() override {
    if (directory_.empty()) return;
    EXPECT_TRUE(unmount_tree(target_).has_value());
    fs::remove_all(directory_);
  }
  static std::pair<uid_t, gid_t> owner(const fs::path& path) {
    struct stat status = {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return {status.st_uid, status.st_gid};
  }
  // One umount2 of an attached mount, and nothing is left below or under it.
  void expect_one_mount() {
    EXPECT_EQ(::umount2(target_.c_str(), 0), 0);
    EXPECT_EQ(::umount2(target_.c_str(), 0), -1) << "something was mounted under it";
    EXPECT_TRUE(fs::is_empty(target_));
  }

  fs::path directory_, target_;
  std::vector<std::string> maps_{"uidmap=0:100000:65536", "gidmap=0:200000:65536"};
};

TEST_F(IdmappedMount, ABindShowsOtherOwnersAndWritesTheOnesOfTheDisk) {
  const auto mounted =
      mount_at("bind", directory_ / "lower", target_, {"rbind", maps_[0], maps_[1]});
  ASSERT_TRUE(mounted.has_value()) << mounted.error().message;
  EXPECT_EQ(owner(target_ / "lower"), std::make_pair(100007U, 200008U));
  EXPECT_EQ(owner(target_), std::make_pair(100000U, 200000U));
  EXPECT_EQ(owner(directory_ / "lower/lower"), std::make_pair(7U, 8U)) << "the disk is as it was";
  ASSERT_EQ(::chown((target_ / "lower").c_str(), 100009, 200009), 0);
  EXPECT_EQ(owner(directory_ / "lower/lower"), std::make_pair(9U, 9U));
  expect_one_mount();
}

TEST_F(IdmappedMount, AReadOnlyBindIsBoth) {
  const auto mounted =
      mount_at("bind", directory_ / "lower", target_, {"bind", "ro", maps_[0], maps_[1]});
  ASSERT_TRUE(mounted.has_value()) << mounted.error().message;
  EXPECT_EQ(owner(target_ / "lower"), std::make_pair(100007U, 200008U));
  EXPECT_FALSE(std::ofstream(target_ / "new").is_open());
  expect_one_mount();
}

TEST_F(IdmappedMount, AnOverlayShowsOtherOwnersOfItsLayersAndLeavesNoneOfTheirClones) {
  const std::string lower =
      "lowerdir=" + (directory_ / "lower").string() + ":" + (directory_ / "lower-2").string();
  const auto mounted = mount_at("overlay", "overlay", target_,
                                {"upperdir=" + (directory_ / "upper").string(), lower,
                                 "workdir=" + (directory_ / "work").string(), maps_[0], maps_[1]});
  ASSERT_TRUE(mounted.has_value()) << mounted.error().message;
  for (const char* file : {"lower", "lower-2"}) {
    EXPECT_EQ(owner(target_ / file), std::make_pair(100007U, 200008U)) << file;
    EXPECT_EQ(owner(directory_ / file / file), std::make_pair(7U, 8U)) << file;
  }
  // A copy up keeps what was shown.
  std::ofstream(target_ / "lower", std::ios::app) << "changed";
  EXPECT_EQ(owner(directory_ / "upper/lower"), std::make_pair(100007U, 200008U));
  expect_one_mount();
}

TEST_F(IdmappedMount, OneThatFailsLeavesNothingMountedAndSaysWhy) {
  const std::string present = (directory_ / "lower").string();
  for (const auto& [type, options] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"overlay", {"lowerdir=" + present + ":/no/such/layer", maps_[0], maps_[1]}},
           {"overlay", {"upperdir=" + present, maps_[0], maps_[1]}},
           {"overlay",
            {"lowerdir=" + present, "upperdir=/no/such/layer", "workdir=/no", maps_[0], maps_[1]}},
           {"bind", {"bind", maps_[0]}},
           {"bind", {"bind", maps_[0], "gidmap=0:1"}},
           {"bind", {"bind", "uidmap=0:5:3,1:9:3", maps_[1]}},  // ranges that overlap
           {"proc", {maps_[0], maps_[1]}}}) {
    const auto mounted = mount_at(type, present, target_, options);
    ASSERT_FALSE(mounted.has_value()) << type << " " << testing::PrintToString(options);
    EXPECT_NE(mounted.error().message.find(target_.string()), std::string::npos)
        << mounted.error().message;
    EXPECT_EQ(::umount2(target_.c_str(), 0), -1) << mounted.error().message;
  }
}

}  // namespace
}  // namespace ward
