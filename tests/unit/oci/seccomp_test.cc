// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/seccomp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "lib/oci/bundle.h"
#include "lib/oci/capabilities.h"

namespace ward::oci {
namespace {

TEST(SyscallNames, ResolveNativelyBothWays) {
  EXPECT_EQ(find_syscall("write"), SYS_write);
  EXPECT_EQ(find_syscall_name(SYS_write), "write");
  EXPECT_FALSE(find_syscall("socketcall").has_value()) << "exists on other architectures only";
  EXPECT_FALSE(find_syscall("clone33").has_value());
  EXPECT_FALSE(find_syscall_name(-1).has_value());
  EXPECT_GT(known_syscalls().size(), 300U);
  EXPECT_EQ(known_syscalls().at("openat"), SYS_openat);
}

TEST(SyscallNames, TheNearestNameIsOffered) {
  EXPECT_EQ(hint_for_syscall("clone33"), " (did you mean 'clone3'?)");
  EXPECT_EQ(hint_for_syscall("opneat"), " (did you mean 'openat'?)");
  EXPECT_EQ(hint_for_syscall("GETPID"), " (did you mean 'getpid'?)");
  EXPECT_EQ(hint_for_syscall("recv"), " (did you mean 'recvmsg', 'recvfrom' or 'recvmmsg'?)");
  EXPECT_EQ(hint_for_capability("CAP_NET_BIND"), " (did you mean 'CAP_NET_BIND_SERVICE'?)");
  EXPECT_EQ(hint_for_capability("CAP_SYSADMIN"), " (did you mean 'CAP_SYS_ADMIN'?)");
  EXPECT_EQ(hint_for_capability("net_raw"), " (did you mean 'CAP_NET_RAW'?)");
  EXPECT_EQ(hint_for_capability("NET-RAW"), " (did you mean 'CAP_NET_RAW'?)");
  EXPECT_EQ(hint_for_syscall(std::string(1U << 20U, 'x')), "");  // and does not take for ever
}

TEST(SyscallNames, WhatIsFarFromEveryNameHasNoHintAndAWordForAllOfThemIsNamedAsNone) {
  for (const char* word : {"frobnicate", "qqq", "", "x", "ladle", "seccomp.json"})
    EXPECT_EQ(hint_for_syscall(word), "") << word;
  for (const char* word : {"CAP", "everything", "superuser"})
    EXPECT_EQ(hint_for_capability(word), "") << word;
  EXPECT_THAT(hint_for_syscall("ALL"), testing::HasSubstr("list each"));
  EXPECT_THAT(hint_for_syscall("epoll_*"), testing::HasSubstr("list each"));
  EXPECT_THAT(hint_for_capability("ALL"), testing::HasSubstr("list each"));
}

TEST(Conditions, HoldOnUnsigned64BitValues) {
  constexpr std::uint64_t kHigh = 0x1'0000'0000ULL;
  EXPECT_TRUE(holds({0, 5, 0, CompareOp::kEq}, 5));
  EXPECT_FALSE(holds({0, 5, 0, CompareOp::kEq}, kHigh + 5));
  EXPECT_TRUE(holds({0, 5, 0, CompareOp::kNe}, kHigh + 5));
  EXPECT_TRUE(holds({0, 5, 0, CompareOp::kGt}, ~0ULL)) << "comparisons are unsigned";
  EXPECT_TRUE(holds({0, 0x7E020000, 0, CompareOp::kMaskedEq}, 0x1200011));
  EXPECT_FALSE(holds({0, 0x7E020000, 0, CompareOp::kMaskedEq}, 0x10000000));
}

TEST(Actions, BothSpellingsOfKillThreadAreReadAndTheClearOneIsWritten) {
  EXPECT_EQ(find_action("SCMP_ACT_KILL"), SeccompAction::kKillThread);
  EXPECT_EQ(action_name(SeccompAction::kKillThread), "SCMP_ACT_KILL_THREAD");
  EXPECT_FALSE(find_action("SCMP_ACT_MAYBE").has_value());
}

TEST(SeccompJson, WriteThenReadIsIdentity) {
  Seccomp seccomp;
  seccomp.default_action = SeccompAction::kErrno;
  seccomp.default_errno_ret = 38;
  seccomp.architectures = {native_scmp_arch()};
  seccomp.flags = std::vector<std::string>{"SECCOMP_FILTER_FLAG_LOG"};
  seccomp.listener_path = "/run/x/listener";
  seccomp.listener_metadata = "abc";
  seccomp.rules = {{{"read", "write"}, SeccompAction::kAllow, {}, {}},
                   {{"clone"},
                    SeccompAction::kAllow,
                    {},
                    {{0, 0x7E020000, 0, CompareOp::kMaskedEq}, {1, ~0ULL, 0, CompareOp::kLe}}},
                   {{"mount"}, SeccompAction::kErrno, 1, {}}};
  const auto read = seccomp_from_json(seccomp_to_json(seccomp));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, seccomp);
}

TEST(SeccompJson, WrongMembersAreNamed) {
  EXPECT_EQ(seccomp_from_json(R"({"defaultAction":"SCMP_ACT_NO"})").error().message,
            "defaultAction: unknown action 'SCMP_ACT_NO'");
  EXPECT_EQ(seccomp_from_json(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"]}]})")
                .error()
                .message,
            "syscalls[0]: action: unknown action ''");
  const auto index = seccomp_from_json(
      R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]})");
  EXPECT_EQ(index.error().message, "syscalls[0]: index must be a whole number, 0 to 5");
  const auto negative = seccomp_from_json(
      R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG","args":[{"value":-1,"op":"SCMP_CMP_EQ"}]}]})");
  EXPECT_FALSE(negative);
}

TEST(Capabilities, AreKnownByExactNames) {
  EXPECT_EQ(find_capability("CAP_CHOWN"), 0);
  EXPECT_EQ(find_capability_name(21), "CAP_SYS_ADMIN");
  EXPECT_FALSE(find_capability("cap_chown").has_value());
  EXPECT_FALSE(find_capability("0").has_value());
  EXPECT_FALSE(find_capability_name(63).has_value());
}

TEST(Capabilities, I2_AllFiveSetsAreCutAndNoneGrows) {
  const Capabilities asked{{"CAP_CHOWN", "CAP_KILL"},
                           {"CAP_KILL"},
                           {"CAP_KILL", "CAP_SYS_ADMIN"},
                           {"CAP_CHOWN"},
                           {"CAP_SYS_ADMIN"}};
  const Capabilities got = intersect(asked, {"CAP_KILL", "CAP_NET_RAW"});
  EXPECT_EQ(got, (Capabilities{{"CAP_KILL"}, {"CAP_KILL"}, {"CAP_KILL"}, {}, {}}));
}

}  // namespace
}  // namespace ward::oci
