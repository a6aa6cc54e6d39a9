// SPDX-License-Identifier: Apache-2.0
// From what happened under a profile to its next version.
#include "profiles/learn/propose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <csignal>
#include <map>

#include "profiles/compile.h"
#include "profiles/diff.h"
#include "profiles/filter/call_tables.h"

namespace ward::profiles {
namespace {

using ::testing::Contains;
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

// Under lenient new reach is let run, and listed no wider than a violation would be.
TEST(Propose, NewReachThatWasLetRunIsProposedAsItWasMade) {
  Profile lenient = web();
  lenient.posture = Posture::kLenient;
  std::vector<CallOutside> seen = {call(SYS_socket, {AF_INET, SOCK_STREAM, 0}),
                                   call(SYS_ioctl, {3, 0x1234}), call(SYS_clone, {SIGCHLD}),
                                   call(SYS_listen)};
  for (CallOutside& one : seen) one.tolerated = true;
  const auto proposal = propose(lenient, 8, seen);
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  const auto allows = [&](int nr, const filter::CallArgs& args) {
    return calls.allows(nr, args, filter::kAllowedInServing);
  };
  EXPECT_TRUE(allows(SYS_socket, {AF_INET, SOCK_STREAM, 0}) && allows(SYS_listen, {}));
  EXPECT_TRUE(allows(SYS_ioctl, {3, 0x1234}) && allows(SYS_clone, {SIGCHLD}));
  EXPECT_FALSE(allows(SYS_socket, {AF_PACKET, SOCK_RAW, 0}));
  EXPECT_FALSE(allows(SYS_ioctl, {3, 0x1235}) || allows(SYS_clone, {0x10000000 | SIGCHLD}));
}

TEST(Propose, WhatHappenedIsInTheNextVersionAndNothingElseChanges) {
  auto mkdir = call(SYS_mkdir, {}, "k8s/b");
  mkdir.tolerated = true;
  mkdir.count = 40;
  mkdir.wall_ns = 50;
  const auto proposal = propose(web(), 8, {call(SYS_getpgid, {7}), mkdir, call(SYS_mkdir)});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const Profile& profile = proposal->generated.profile;
  EXPECT_EQ(profile.version, 8U);
  EXPECT_EQ(profile.posture, Posture::kBalanced);
  EXPECT_EQ(profile.on_workload.action, Action::kKill);
  const filter::CallTable calls = table_of(profile);
  EXPECT_TRUE(calls.allows(SYS_getpgid, {7}, filter::kAllowedInServing));
  EXPECT_TRUE(calls.allows(SYS_mkdir, {}, filter::kAllowedInServing));
  ASSERT_EQ(proposal->calls.size(), 3U);
  const ProposedCall& made = proposal->calls[1];
  EXPECT_EQ(made.syscall, "mkdir");
  EXPECT_EQ(proposal->calls[2].syscall, "mkdirat") << "of its family";
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

// The posture puts it into the filter: it was seen in a window of the recorder.
TEST(Propose, WhatThePostureLetRunWithoutAskingIsProposedAndWhatIsListedIsNot) {
  std::vector<CallOutside> seen = {call(SYS_pwrite64), call(SYS_getrusage), call(SYS_openat)};
  for (CallOutside& one : seen) one.tolerated = true;
  seen[1].origin = Origin::kExec;
  const auto proposal = propose(web(), 8, seen);
  ASSERT_TRUE(proposal) << proposal.error().message;
  ASSERT_EQ(proposal->calls.size(), 2U);
  EXPECT_EQ(proposal->calls[0].syscall, "getrusage");
  EXPECT_EQ(proposal->calls[0].origin, Origin::kExec);
  EXPECT_EQ(proposal->calls[1].syscall, "pwrite64");
  EXPECT_FALSE(proposal->calls[1].stopped);
  EXPECT_EQ(proposal->generated.profile.syscalls.at(Layer::kServing).count("pwrite64"), 1U);
  EXPECT_EQ(proposal->generated.profile.syscalls.at(Layer::kExec).count("getrusage"), 1U);
  EXPECT_EQ(propose(proposal->generated.profile, 9, seen).error().code, Code::kNotFound);
  // A violation of a version that was strict is settled by the posture of this one.
  EXPECT_EQ(propose(web(), 8, {call(SYS_pwrite64)}).error().code, Code::kNotFound);
}

TEST(Propose, I3_TheDangerSetIsLeftOutWithItsReason) {
  const auto proposal =
      propose(web(), 8,
              {call(SYS_unshare, {0x10000000}), call(SYS_socket, {AF_NETLINK, SOCK_RAW, 0}),
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
  const auto proposal =
      propose(profile, 8, {call(SYS_clone, {0x10000011}), call(SYS_getpgid, {7})});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  EXPECT_FALSE(calls.allows(SYS_clone, {0x10000011}, ~0U));
  EXPECT_TRUE(calls.allows(SYS_clone, {0x11}, filter::kAllowedInServing));
}

TEST(Propose, WhatAPersonFilteredIsNotOpenedAsAWhole) {
  const auto proposal = propose(web(), 8, {call(SYS_kill, {9, 10}), call(SYS_kill, {8, 12})});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  for (const std::uint64_t signal : {0U, 10U, 12U, 15U})
    EXPECT_TRUE(calls.allows(SYS_kill, {1, signal}, filter::kAllowedInServing)) << signal;
  EXPECT_FALSE(calls.allows(SYS_kill, {1, 9}, filter::kAllowedInServing));
}

// What the posture let run was of class held: the next version allows no more of it.
TEST(Propose, I3_WhatWasOnlyLetRunIsAddedAsFarAsItsClassGoes) {
  auto keepalive = call(SYS_setsockopt, {3, SOL_SOCKET, SO_KEEPALIVE});
  auto fifo = call(SYS_mknod, {0, S_IFIFO | 0600, 0});
  auto mode = call(SYS_chmod, {0, 0600});
  auto thread = call(SYS_clone, {0x3d0f00});
  for (CallOutside* one : {&keepalive, &fifo, &mode, &thread}) one->tolerated = true;
  const auto proposal = propose(web(), 8, {keepalive, fifo, mode, thread});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  const auto allows = [&](int nr, const filter::CallArgs& args) {
    return calls.allows(nr, args, filter::kAllowedInServing);
  };
  EXPECT_TRUE(allows(SYS_setsockopt, {3, SOL_SOCKET, SO_KEEPALIVE}));
  EXPECT_FALSE(allows(SYS_setsockopt, {3, SOL_SOCKET, SO_ATTACH_FILTER}));
  EXPECT_TRUE(allows(SYS_mknod, {0, S_IFIFO | 0600, 0}));
  EXPECT_FALSE(allows(SYS_mknod, {0, S_IFBLK | 0600, 0}));
  EXPECT_TRUE(allows(SYS_chmod, {0, 0600}));
  EXPECT_FALSE(allows(SYS_chmod, {0, S_ISUID | 0755}));
  EXPECT_FALSE(allows(SYS_fork, {}));
  for (const ProposedCall& made : proposal->calls) EXPECT_LE(made.harm, HarmClass::kHeld);
}

TEST(Propose, OneRequestOfIoctlOpensNoOther) {
  const auto proposal = propose(web(), 8, {call(SYS_ioctl, {0, 0x4B40}), call(SYS_ioctl, {0, 7})});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  EXPECT_TRUE(calls.allows(SYS_ioctl, {0, 0x4B40}, filter::kAllowedInServing));
  EXPECT_FALSE(calls.allows(SYS_ioctl, {0, 0x5412}, filter::kAllowedInServing)) << "TIOCSTI";
}

TEST(Propose, AFamilyIsNamedWhole) {
  const auto proposal = propose(web(), 8, {call(SYS_fork)});
  ASSERT_TRUE(proposal) << proposal.error().message;
  std::map<std::string, std::uint64_t> calls;
  for (const ProposedCall& made : proposal->calls) calls[made.syscall] = made.count;
  EXPECT_EQ(calls.at("fork"), 1U);
  EXPECT_EQ(calls.at("vfork"), 0U);
  EXPECT_THAT(proposal->generated.header, HasSubstr("vfork (reach, not seen, of the family"));
}

TEST(Propose, I3_FiltersOfTwoListingsAreNotMixed) {
  Profile profile = web();
  profile.syscalls[Layer::kServing]["socket"] = {
      "socket", {{0, {}, {AF_INET}}, {1, 0xF, {SOCK_STREAM}}, {2, {}, {6}}}};
  profile.syscalls[Layer::kServing]["setsockopt"] = {"setsockopt", {{1, {}, {6}}, {2, {}, {1}}}};
  const auto proposal = propose(
      profile, 8,
      {call(SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}), call(SYS_setsockopt, {3, SOL_SOCKET, 15})});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  const auto allows = [&](int nr, const filter::CallArgs& args) {
    return calls.allows(nr, args, filter::kAllowedInServing);
  };
  EXPECT_TRUE(allows(SYS_socket, {AF_INET, SOCK_STREAM, 6}));
  EXPECT_TRUE(allows(SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}));
  EXPECT_FALSE(allows(SYS_socket, {AF_INET, SOCK_STREAM, 132}));
  EXPECT_TRUE(allows(SYS_setsockopt, {3, SOL_SOCKET, 15}));
  EXPECT_FALSE(allows(SYS_setsockopt, {3, SOL_SOCKET, 1}));
}

TEST(Propose, ManyValuesCannotMakeItFail) {
  std::vector<CallOutside> many;
  for (std::uint64_t signal = 1; signal < 60; ++signal) many.push_back(call(SYS_kill, {9, signal}));
  const auto one_list = propose(web(), 8, many);
  ASSERT_TRUE(one_list) << one_list.error().message;
  for (std::uint64_t option = 0; option < 60; ++option)
    many.push_back(call(SYS_setsockopt, {3, 300 + option, option}));
  const auto proposal = propose(web(), 8, many);
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_TRUE(
      table_of(proposal->generated.profile).allows(SYS_kill, {9, 33}, filter::kAllowedInServing));
  EXPECT_THAT(proposal->generated.warnings,
              ElementsAre("setsockopt was called in too many ways to list them: left out"));
}

TEST(Propose, WhatExecSessionsDidIsTheirs) {
  auto chown = call(SYS_setpgid, {5, 5});
  chown.origin = Origin::kExec;
  chown.phase = "exec";
  const auto proposal = propose(web(), 8, {chown});
  ASSERT_TRUE(proposal) << proposal.error().message;
  const filter::CallTable calls = table_of(proposal->generated.profile);
  EXPECT_TRUE(calls.allows(SYS_setpgid, {5, 5}, filter::kAllowedInExec));
  EXPECT_FALSE(calls.allows(SYS_setpgid, {5, 5}, filter::kAllowedInServing));
}

TEST(Propose, WhereAllIsListedThereIsNothingToPropose) {
  EXPECT_EQ(propose(web(), 8, {}).error().code, Code::kNotFound);
  EXPECT_EQ(propose(web(), 8, {call(SYS_openat)}).error().code, Code::kNotFound);
  EXPECT_EQ(propose(web(), 8, {call(4000)}).error().code, Code::kNotFound) << "it has no name";
  EXPECT_THAT(propose(web(), 8, {}).error().message,
              HasSubstr("nothing to propose: profile 'web'"));
}

TEST(Propose, WhatWasProposedTwiceIsProposedOnce) {
  const std::vector<CallOutside> seen{call(SYS_getpgid, {7}), call(SYS_socket, {AF_INET, 1, 0})};
  const Profile next = propose(web(), 8, seen)->generated.profile;
  EXPECT_EQ(propose(next, 9, seen).error().code, Code::kNotFound);
  EXPECT_THAT(diff(web(), next).narrowed, ::testing::IsEmpty());
}

TEST(Propose, CapabilitiesOfTheWorkloadAreAddedAndThoseThatNeedASignatureAreNamed) {
  const std::vector<CapabilityOutside> missed = {{"CAP_NET_RAW", "default/a"},
                                                 {"CAP_NET_RAW", "default/b"},
                                                 {"CAP_SYS_ADMIN", "default/a"},
                                                 {"CAP_CHOWN", "default/a", Origin::kExec}};
  const auto proposal = propose(web(), 8, {}, missed);
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_THAT(proposal->capabilities, ElementsAre("CAP_NET_RAW"));
  EXPECT_THAT(proposal->generated.profile.capabilities, Contains("CAP_NET_RAW"));
  ASSERT_EQ(proposal->generated.left_out.size(), 1U);
  EXPECT_EQ(proposal->generated.left_out.front().what, "CAP_SYS_ADMIN");
  EXPECT_EQ(proposal->generated.profile.provenance.at("proposedFrom"), "4 events of 2 containers");
  EXPECT_EQ(propose(proposal->generated.profile, 9, {}, {missed[0]}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace ward::profiles
