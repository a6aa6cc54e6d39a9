// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/decode_args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/syscall.h>

#include <csignal>

namespace ward::shim::supervisor {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

TEST(DecodeArgs, NamespaceFlagsAreNamed) {
  EXPECT_THAT(decode_args(SYS_unshare, {CLONE_NEWUSER | CLONE_NEWNS}),
              ElementsAre("CLONE_NEWNS|CLONE_NEWUSER"));
  EXPECT_EQ(decode_args(SYS_clone, {CLONE_NEWPID | SIGCHLD})[0], "CLONE_NEWPID|SIGCHLD");
  EXPECT_EQ(decode_args(SYS_clone, {SIGCHLD})[0], "SIGCHLD");
}

TEST(DecodeArgs, SocketsAreNamed) {
  EXPECT_THAT(decode_args(SYS_socket, {38, 5 | 02000000, 0}),
              ElementsAre("AF_ALG", "SOCK_SEQPACKET|SOCK_CLOEXEC", "0"));
  EXPECT_EQ(decode_args(SYS_socket, {4242, 1, 0})[0], "4242");
}

TEST(DecodeArgs, BitsWithoutANameStayAsANumber) {
  EXPECT_THAT(decode_args(SYS_unshare, {1ULL << 40U}), ElementsAre("0x10000000000"));
  EXPECT_THAT(decode_args(SYS_unshare, {0}), ElementsAre("0"));
}

TEST(DecodeArgs, DescriptorsAndOpenFlags) {
  EXPECT_THAT(decode_args(SYS_openat, {static_cast<std::uint64_t>(-100), 0x7f0000, 02000000, 0}),
              ElementsAre("AT_FDCWD", "0x7f0000", "O_RDONLY|O_CLOEXEC", "0"));
  EXPECT_THAT(decode_args(SYS_mprotect, {0x1000, 4096, 7}),
              ElementsAre("0x1000", "4096", "PROT_READ|PROT_WRITE|PROT_EXEC"));
}

TEST(DecodeArgs, EveryNumberGivesSomething) {
  for (int nr = -5; nr < 600; ++nr)
    EXPECT_FALSE(decode_args(nr, {~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL}).empty());
  EXPECT_THAT(decode_args(100000, {1, 2, 3, 4, 5, 6}), SizeIs(6));
}

}  // namespace
}  // namespace ward::shim::supervisor
