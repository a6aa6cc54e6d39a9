// SPDX-License-Identifier: Apache-2.0
// The walk over a writable layer that somebody made to hurt it.
#include "shim/supervisor/evidence_changes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>

#include "lib/base/clock.h"
#include "lib/base/digest.h"

namespace ward::shim::supervisor {
namespace {

namespace fs = std::filesystem;

class ChangedFiles : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("ward-changes-" + random_hex(4));
    fs::create_directories(upper_ = root_ / "upper");
    bounds_.ends_ns = monotonic_ns() + 10'000'000'000;
  }
  void TearDown() override {
    if (mounted_) ::umount2((upper_ / "mounted").c_str(), MNT_DETACH);
    fs::remove_all(root_);
  }

  void write(const fs::path& path, const std::string& text) const {
    std::ofstream(upper_ / path) << text;
  }

  // What the walk hands over.
  Parts walk() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd from(ends[0]);
    UniqueFd to(ends[1]);
    ::fcntl(to.get(), F_SETPIPE_SZ, 1 << 20);
    const UniqueFd upper(::open(upper_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    read_changes(upper.get(), bounds_, PartSink(to.get()), left_out_);
    to.reset();
    PartSource source;
    while (source.read_from(from.get())) {
    }
    return source.parts();
  }
  Json list() { return Json::parse(walk()["changed_files"]); }
  static Json find(const Json& list, const std::string& path) {
    for (const auto& one : list)
      if (one["path"] == path) return one;
    return {};
  }

  fs::path root_, upper_;
  ChangeBounds bounds_;
  LeftOut left_out_;
  bool mounted_ = false;
};

TEST_F(ChangedFiles, WhatWasAddedModifiedAndDeletedIsTold) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root for a whiteout";
  fs::create_directory(upper_ / "etc");
  write("etc/new", "dropped");
  write("etc/old", "altered");
  ASSERT_EQ(::setxattr((upper_ / "etc/old").c_str(), "trusted.overlay.origin", "x", 1, 0), 0);
  ASSERT_EQ(::mknod((upper_ / "etc/gone").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  const Parts parts = walk();
  const Json changes = Json::parse(parts.at("changed_files"));
  EXPECT_EQ(find(changes, "/etc/new")["change"], "added");
  EXPECT_EQ(find(changes, "/etc/new")["sha256"], sha256_hex("dropped"));
  EXPECT_EQ(find(changes, "/etc/old")["change"], "modified");
  EXPECT_EQ(find(changes, "/etc/gone")["change"], "deleted");
  const std::string copy = find(changes, "/etc/new")["copied_as"];
  EXPECT_EQ(parts.at(std::string(kFilePrefix) + copy), "dropped");
  EXPECT_EQ(parts.at("changed_files_in_all"), "3");
}

// A reader that dies for want of memory would hand over none.
TEST_F(ChangedFiles, E02_LongNamesAreBoundedAndTheRestIsTold) {
  for (int i = 0; i < 20; ++i) write(std::string(200, 'n') + std::to_string(i), "x");
  bounds_.name_bytes = 1000;
  const Parts parts = walk();
  const Json changes = Json::parse(parts.at("changed_files"));
  EXPECT_GT(changes.size(), 0U);
  EXPECT_LT(changes.size(), 6U);
  EXPECT_NE(left_out_.list().dump().find("names too long for more"), std::string::npos)
      << left_out_.list();
}

TEST_F(ChangedFiles, T16_NothingOutsideIsReadAndNothingIsWaitedFor) {
  write("secret-outside", "");
  fs::remove(upper_ / "secret-outside");
  std::ofstream(root_ / "outside") << "not the container's";
  fs::create_directory(root_ / "directory");
  std::ofstream(root_ / "directory/inside") << "neither";
  fs::create_symlink(root_ / "outside", upper_ / "to-a-file");
  fs::create_directory_symlink(root_ / "directory", upper_ / "to-a-directory");
  fs::create_symlink("loop", upper_ / "loop");
  ASSERT_EQ(::mkfifo((upper_ / "fifo").c_str(), 0600), 0);
  if (::geteuid() == 0) {
    fs::create_directory(upper_ / "mounted");
    mounted_ = ::mount("tmpfs", (upper_ / "mounted").c_str(), "tmpfs", 0, "size=64k") == 0;
    if (mounted_) write("mounted/inside", "another file system");
  }
  const Parts parts = walk();
  const std::string text = parts.at("changed_files");
  EXPECT_EQ(text.find("inside"), std::string::npos) << text;
  EXPECT_EQ(text.find(sha256_hex("not the container's")), std::string::npos);
  const Json changes = Json::parse(text);
  EXPECT_EQ(find(changes, "/to-a-file")["type"], "link");
  EXPECT_EQ(find(changes, "/to-a-directory")["type"], "link");
  EXPECT_EQ(find(changes, "/loop")["type"], "link");
  EXPECT_EQ(find(changes, "/fifo")["type"], "fifo");
  for (const auto& [name, content] : parts) EXPECT_FALSE(name.starts_with(kFilePrefix)) << name;
}

TEST_F(ChangedFiles, ASparseTerabyteIsListedAndNotRead) {
  write("huge", "");
  if (::truncate((upper_ / "huge").c_str(), 1LL << 40) != 0) GTEST_SKIP() << "no such large file";
  const Json huge = find(list(), "/huge");
  EXPECT_EQ(huge["bytes"], 1LL << 40);
  EXPECT_EQ(huge["not_hashed"], "larger than what is read");
}

TEST_F(ChangedFiles, MoreEntriesThanTheBoundEndTheWalkAndItSaysSo) {
  bounds_.entries = 1000;
  bounds_.listed = 10;
  for (int i = 0; i < 3000; ++i) write(std::to_string(i), "");
  const Parts parts = walk();
  EXPECT_EQ(Json::parse(parts.at("changed_files")).size(), 10U);
  EXPECT_EQ(parts.at("changed_files_in_all"), "1000");
  EXPECT_NE(left_out_.list().dump().find("more entries than are looked at"), std::string::npos);
}

TEST_F(ChangedFiles, TimeEndsTheWalk) {
  bounds_.ends_ns = monotonic_ns();
  for (int i = 0; i < 600; ++i) write(std::to_string(i), "x");
  EXPECT_LT(list().size(), 600U);
  EXPECT_NE(left_out_.list().dump().find("no time was left"), std::string::npos);
}

TEST_F(ChangedFiles, NamesAreEscapedAndDepthIsBounded) {
  write("\x1b[31m\n", "x");
  fs::path deep = upper_;
  for (int i = 0; i < 12; ++i) fs::create_directory(deep /= std::string(200, 'd'));
  EXPECT_FALSE(find(list(), "/\\x1b[31m\\x0a").is_null());
}

TEST(UpperDirectory, IsThatOfTheLastMountOnTheRootfsAndNoOther) {
  const std::string line = "30 1 0:40 / /run/b\\040c/rootfs rw - overlay overlay rw,";
  EXPECT_EQ(
      find_upper_directory(line + "lowerdir=/l,upperdir=/u\\0401,workdir=/w\n", "/run/b c/rootfs"),
      "/u 1");
  EXPECT_EQ(find_upper_directory(line + "lowerdir=/l\n", "/run/b c/rootfs"), "");
  EXPECT_EQ(find_upper_directory(line + "upperdir=relative\n", "/run/b c/rootfs"), "");
  EXPECT_EQ(find_upper_directory(line + "upperdir=/u\n", "/run/other/rootfs"), "");
  EXPECT_EQ(find_upper_directory(line + "upperdir=/u\n31 30 8:1 / /run/b\\040c/rootfs rw - ext4 "
                                        "/dev/sda rw\n",
                                 "/run/b c/rootfs"),
            "")
      << "covered";
}

}  // namespace
}  // namespace ward::shim::supervisor
