// SPDX-License-Identifier: Apache-2.0
#include "enforcer/socket_file.h"

#include <gtest/gtest.h>

#include "lib/linux/unix_socket.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

TEST(SocketFile, IsRemovedWhereItIsStillOurs) {
  const test::ScratchDirectory directory;
  const auto path = directory.path() / "s";
  SocketFile file(path);
  EXPECT_FALSE(file.is_there());
  const auto socket = file.listen();
  ASSERT_TRUE(socket) << socket.error().message;
  EXPECT_TRUE(file.is_there());
  file.remove();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SocketFile, IsMadeAgainWhereSomebodyRemovedIt) {
  const test::ScratchDirectory directory;
  SocketFile file(directory.path() / "s");
  const auto first = file.listen();
  std::filesystem::remove(file.path());
  EXPECT_FALSE(file.is_there());
  const auto second = file.listen();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE(file.is_there());
  EXPECT_TRUE(connect_unix(file.path()));
  std::filesystem::remove(file.path());
  std::filesystem::remove(directory.path());
  EXPECT_FALSE(file.listen()) << "there is no directory for it";
  EXPECT_FALSE(file.is_there());
}

TEST(SocketFile, ThatOfAnotherStays) {
  const test::ScratchDirectory directory;
  const auto path = directory.path() / "s";
  SocketFile file(path);
  const auto ours = file.listen();
  std::filesystem::rename(path, directory.path() / "moved");  // its inode stays in use
  const auto theirs = listen_unix(path);
  ASSERT_TRUE(theirs) << theirs.error().message;
  file.remove();
  EXPECT_TRUE(std::filesystem::exists(path));
  SocketFile().remove();
}

}  // namespace
}  // namespace ward::enforcer
