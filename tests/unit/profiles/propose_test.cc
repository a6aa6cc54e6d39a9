// SPDX-License-Identifier: Apache-2.0
// From what happened under a profile to its next version.
#include "profiles/propose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "profiles/compile.h"
#include "profiles/diff.h"
#include "profiles/filter/call_tables.h"

namespace ward::profiles {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Profile web() {
  Profile profile;
  profile.name = "web";
  profile.version = 7;
  profile.extends = {"ward-baseline"};
  profile.architectures = {"x86_64"};
  profile.posture = Posture::kBalanced;
  profile.syscalls[Layer::kServing]["openat"] = {"openat", {}};
  profile.syscalls[Layer::kServing]["kill"] = {"kill", {{1, std::nullopt, {0, 15}}}};
  profile.syscalls[Layer::kServing]["socket"] = {"socket", {{0, std::nullopt, {AF_UNIX}}}};
  profile.on_workload.action = Action::kKill;
  profile.provenance = {{"workload", "web"}};
  return profile;
}

CallOutside call(int nr, std::array<std::uint64_t, 6> args = {}, const char* container = "k8s/a") {
  return {container, Origin::kWorkload, "serving", nr, args, 1, 100, false};
}

filter::CallTable table_of(const Profile& profile) {
  return filter::to_table(compile(profile).value());
}

TEST(Propose, WhatHappenedIsInTheNextVersionAndNothingElseChanges) {
  auto mkdir = call(SYS_mkdir, {}, "k8s/b");
  mkdir.tolerated = true;
  mkdir.count = 40;
  mkdir.wall_ns = 50;
  const auto proposal = propose(web(), {call(SYS_getpgid, {7}), mkdir, call(SYS_mkdir)});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const Profile& profile = proposal->generated.profile;
  EXPECT_EQ(profile.version, 8U);
  EXPECT_EQ(profile.posture, Posture::kBalanced);
  EXPECT_EQ(profile.on_workload.action, Action::kKill);
  const filter::CallTable calls = table_of(profile);
  EXPECT_TRUE(calls.allows(SYS_getpgid, {7}, filter::kAllowedInServing));
  EXPECT_TRUE(calls.allows(SYS_mkdir, {}, filter::kAllowedInServing));
  ASSERT_EQ(proposal->calls.size(), 2U);
  const ProposedCall& made = proposal->calls[1];
  EXPECT_EQ(made.syscall, "mkdir");
  EXPECT_EQ(made.harm, HarmClass::kHeld);
  EXPECT_EQ(made.count, 41U);
  EXPECT_TRUE(made.stopped);
  EXPECT_THAT(made.containers, ElementsAre("k8s/a", "k8s/b"));
  EXPECT_EQ(made.first_wall_ns, 50);
  EXPECT_EQ(made.last_wall_ns, 100);
  EXPECT_THAT(proposal->generated.header,
              HasSubstr("mkdir (held, a violation): 41 times in 2 containers, phase serving"));
  EXPECT_EQ(profile.provenance.at("workload"), "web");
  EXPECT_EQ(profile.provenance.at("proposedFrom"), "3 events of 2 containers");
}

TEST(Propose, I3_TheDangerSetIsLeftOutWithItsReason) {
  const auto proposal =
      propose(web(), {call(SYS_unshare, {0x10000000}), call(SYS_socket, {AF_NETLINK, SOCK_RAW, 0}),
                      call(SYS_socket, {AF_INET, SOCK_STREAM, 0})});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  EXPECT_FALSE(calls.allows(SYS_unshare, {0x10000000}, ~0U));
  EXPECT_FALSE(calls.allows(SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, ~0U));
  EXPECT_TRUE(calls.allows(SYS_socket, {AF_INET, SOCK_STREAM, 0}, filter::kAllowedInServing));
  EXPECT_TRUE(calls.allows(SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, filter::kAllowedInServing));
  EXPECT_EQ(proposal->generated.left_out.size(), 2U);
  EXPECT_THAT(write_generated(proposal->generated), HasSubstr("# {name: unshare},"));
}

TEST(Propose, I3_AFilterThatKeepsTheDangerSetOutStays) {
  Profile profile = web();
  profile.syscalls[Layer::kServing]["clone"] = {"clone", {{0, 0x7e020000, {0}}}};
  const auto proposal = propose(profile, {call(SYS_clone, {0x10000011}), call(SYS_getpgid, {7})});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  EXPECT_FALSE(calls.allows(SYS_clone, {0x10000011}, ~0U));
  EXPECT_TRUE(calls.allows(SYS_clone, {0x11}, filter::kAllowedInServing));
}

TEST(Propose, WhatAPersonFilteredIsNotOpenedAsAWhole) {
  const auto proposal = propose(web(), {call(SYS_kill, {9, 10}), call(SYS_kill, {8, 12})});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  for (const std::uint64_t signal : {0, 10, 12, 15})
    EXPECT_TRUE(calls.allows(SYS_kill, {1, signal}, filter::kAllowedInServing)) << signal;
  EXPECT_FALSE(calls.allows(SYS_kill, {1, 9}, filter::kAllowedInServing));
}

TEST(Propose, WhatExecSessionsDidIsTheirs) {
  auto chown = call(SYS_setpgid, {5, 5});
  chown.origin = Origin::kExec;
  chown.phase = "exec";
  const auto proposal = propose(web(), {chown});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  EXPECT_TRUE(calls.allows(SYS_setpgid, {5, 5}, filter::kAllowedInExec));
  EXPECT_FALSE(calls.allows(SYS_setpgid, {5, 5}, filter::kAllowedInServing));
}

TEST(Propose, WhereAllIsListedThereIsNothingToPropose) {
  EXPECT_EQ(propose(web(), {}).error().code, Code::kNotFound);
  EXPECT_EQ(propose(web(), {call(SYS_openat)}).error().code, Code::kNotFound);
  EXPECT_EQ(propose(web(), {call(4000)}).error().code, Code::kNotFound) << "it has no name";
  EXPECT_THAT(propose(web(), {}).error().message, HasSubstr("nothing to propose: profile 'web'"));
}

TEST(Propose, WhatWasProposedTwiceIsProposedOnce) {
  const std::vector<CallOutside> seen{call(SYS_getpgid, {7}), call(SYS_socket, {AF_INET, 1, 0})};
  const Profile next = propose(web(), seen)->generated.profile;
  EXPECT_EQ(propose(next, seen).error().code, Code::kNotFound);
  EXPECT_THAT(diff(web(), next).narrowed, ::testing::IsEmpty());
}

}  // namespace
}  // namespace ward::profiles
