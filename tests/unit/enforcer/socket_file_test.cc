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
  const auto socket = listen_unix(path);
  ASSERT_TRUE(socket) << socket.error().message;
  SocketFile file(path);
  file.remove();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SocketFile, ThatOfAnotherStays) {
  const test::ScratchDirectory directory;
  const auto path = directory.path() / "s";
  const auto ours = listen_unix(path);
  SocketFile file(path);
  std::filesystem::rename(path, directory.path() / "moved");  // its inode stays in use
  const auto theirs = listen_unix(path);
  ASSERT_TRUE(theirs) << theirs.error().message;
  file.remove();
  EXPECT_TRUE(std::filesystem::exists(path));
  SocketFile().remove();
}

}  // namespace
}  // namespace ward::enforcer
