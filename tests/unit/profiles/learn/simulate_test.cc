// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>

namespace ward::profiles {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Profile web(Posture posture = Posture::kStrict) {
  Profile profile;
  profile.name = "web";
  profile.extends = {"ward-baseline"};
  profile.architectures = {"x86_64"};
  profile.posture = posture;
  profile.syscalls[Layer::kServing]["socket"] = {"socket", {{0, std::nullopt, {AF_INET}}}};
  profile.syscalls[Layer::kServing]["ioctl"] = {"ioctl", {{1, std::nullopt, {0x5401, 0x5413}}}};
  return profile;
}

ObservedSyscall call(int nr, std::map<std::uint32_t, ArgumentValues> arguments = {}) {
  ObservedSyscall seen;
  seen.nr = nr;
  seen.count = 3;
  seen.arguments = std::move(arguments);
  return seen;
}

Run run(const std::string& id, std::vector<ObservedSyscall> calls) {
  Run out;
  out.id = id;
  out.syscalls = std::move(calls);
  return out;
}

TEST(Simulate, ARunThatStaysInsideIsNotStopped) {
  ObservedSyscall inet = call(SYS_socket);
  inet.together = ArgumentTuples{{{AF_INET, SOCK_STREAM, 0}, {AF_INET, SOCK_DGRAM, 17}}, false};
  const auto done = simulate(web(), {run("a", {call(SYS_read), inet, call(SYS_ioctl)})}, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->runs, 1U);
  EXPECT_EQ(done->stopped, 0U);
  EXPECT_THAT(done->calls, IsEmpty()) << "arguments that nobody recorded are no ground";
}

TEST(Simulate, ACallThatIsNotListedStopsTheRunsThatMadeItAndSaysWithWhat) {
  ObservedSyscall mixed = call(SYS_socket);
  mixed.together = ArgumentTuples{{{AF_INET, SOCK_STREAM, 0}, {AF_PACKET, SOCK_RAW, 3}}, false};
  const auto done =
      simulate(web(),
               {run("a", {mixed}), run("b", {call(SYS_ioctl, {{1, {{0x5401, 0x5412}, false}}})}),
                run("c", {call(SYS_read)})},
               {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->runs, 3U);
  EXPECT_EQ(done->stopped, 2U);
  ASSERT_EQ(done->calls.size(), 2U);
  EXPECT_EQ(done->calls[0].syscall, "ioctl");
  EXPECT_THAT(done->calls[0].arguments, ElementsAre("TIOCSTI"));
  EXPECT_THAT(done->calls[0].runs, ElementsAre("b"));
  EXPECT_EQ(done->calls[1].syscall, "socket");
  EXPECT_THAT(done->calls[1].arguments, ElementsAre("AF_PACKET, SOCK_RAW, 3"));
  EXPECT_EQ(done->calls[1].harm, HarmClass::kDanger);
  EXPECT_EQ(done->calls[1].count, 3U);
}

TEST(Simulate, WhatThePostureLetsRunStopsNothing) {
  const std::vector<profiles::Run> runs = {run("a", {call(SYS_mkdir), call(SYS_getitimer)})};
  const auto strict = simulate(web(), runs, {});
  const auto balanced = simulate(web(Posture::kBalanced), runs, {});
  ASSERT_TRUE(strict && balanced);
  EXPECT_EQ(strict->stopped, 1U);
  EXPECT_EQ(strict->calls.size(), 2U);
  EXPECT_EQ(balanced->stopped, 0U);
  ASSERT_EQ(balanced->calls.size(), 1U) << "what touches the caller only is in the filter";
  EXPECT_EQ(balanced->calls[0].syscall, "mkdir");
  EXPECT_TRUE(balanced->calls[0].let_run);
}

TEST(Simulate, I3_TheDangerSetIsActedUponUnderLenientToo) {
  profiles::Run netlink = run("a", {call(SYS_connect), call(SYS_socket)});
  netlink.syscalls[1].together = ArgumentTuples{{{16, 3, 0}}, false};
  const auto lenient = simulate(web(Posture::kLenient), {netlink}, {});
  ASSERT_TRUE(lenient);
  EXPECT_EQ(lenient->stopped, 1U);
  ASSERT_EQ(lenient->calls.size(), 2U);
  EXPECT_EQ(lenient->calls[0].syscall, "socket") << "acted upon comes first";
  EXPECT_FALSE(lenient->calls[0].let_run);
  EXPECT_EQ(lenient->calls[1].syscall, "connect");
  EXPECT_TRUE(lenient->calls[1].let_run);
}

TEST(Simulate, EventsAreCountedBesideRunsAndCapabilitiesNamed) {
  profiles::Run used = run("a", {call(SYS_read)});
  used.capabilities = {{"CAP_NET_RAW", Origin::kWorkload, 2}, {"CAP_KILL", Origin::kExec, 1}};
  CallOutside event;
  event.nr = SYS_mount;
  event.count = 7;
  const auto done = simulate(web(), {used}, {event});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->events, 7U);
  EXPECT_EQ(done->events_stopped, 7U);
  EXPECT_EQ(done->stopped, 0U);
  ASSERT_EQ(done->calls.size(), 1U);
  EXPECT_EQ(done->calls[0].events, 7U);
  EXPECT_EQ(done->calls[0].harm, HarmClass::kDanger);
  EXPECT_THAT(done->capabilities, UnorderedElementsAre("CAP_NET_RAW"));
}

}  // namespace
}  // namespace ward::profiles
