// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>

namespace ward::profiles {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::int64_t kSecond = 1'000'000'000;

ObservedSyscall call(int nr, std::int64_t first_s, Origin origin = Origin::kWorkload) {
  ObservedSyscall seen;
  seen.nr = nr;
  seen.origin = origin;
  seen.count = 1;
  seen.first_seen_ns = first_s * kSecond;
  seen.last_seen_ns = first_s * kSecond;
  return seen;
}

Run run(const std::string& id, std::int64_t started_s, std::int64_t length_s,
        std::vector<ObservedSyscall> calls) {
  Run out;
  out.id = id;
  out.started_wall_ns = started_s * kSecond;
  out.ended_wall_ns = (started_s + length_s) * kSecond;
  out.syscalls = std::move(calls);
  return out;
}

ObservedSyscall socket_of(std::uint64_t family, std::uint64_t type) {
  ObservedSyscall seen = call(SYS_socket, 1);
  seen.together = ArgumentTuples{{{family, type, 0}}, false};
  return seen;
}

TEST(Discovery, RunsAreLaidEndToEndInTheOrderOfTheirStarts) {
  const Discovery found = discovery({run("late", 100, 10, {call(1, 0), call(3, 4)}),
                                     run("early", 50, 20, {call(1, 0), call(2, 15)})});
  EXPECT_THAT(found.steps, ElementsAre(DiscoveryStep{0, 1}, DiscoveryStep{15 * kSecond, 2},
                                       DiscoveryStep{24 * kSecond, 3}));
  EXPECT_THAT(found.runs,
              ElementsAre(RunGain{"early", 20 * kSecond, 2}, RunGain{"late", 10 * kSecond, 1}));
  EXPECT_EQ(found.recorded_ns, 30 * kSecond);
  EXPECT_EQ(found.longest_run_ns, 20 * kSecond);
  EXPECT_EQ(found.late, 1U);  // at 24 of 30 s; what came at 15 s is the first half's last
}

TEST(Discovery, ARunThatGoesOnIsAsLongAsWhatWasSeenOfIt) {
  profiles::Run open = run("open", 10, 0, {call(1, 7)});
  open.ended_wall_ns = 0;
  EXPECT_EQ(discovery({open}).recorded_ns, 7 * kSecond);
}

TEST(Discovery, ExecSessionsAndEmptyRunsAddNothing) {
  const Discovery found =
      discovery({run("exec", 1, 5, {call(1, 0, Origin::kExec)}), run("empty", 2, 500, {})});
  EXPECT_THAT(found.steps, IsEmpty());
  EXPECT_EQ(found.recorded_ns, 5 * kSecond);
}

TEST(Discovery, ALengthIsToldInTheUnitThatPeopleUse) {
  EXPECT_EQ(describe_length(41 * kSecond), "41 s");
  EXPECT_EQ(describe_length(119 * kSecond), "119 s");
  EXPECT_EQ(describe_length(120 * kSecond), "2 min");
  EXPECT_EQ(describe_length(3 * 3600 * kSecond), "3 h");
}

TEST(Discovery, WhatWasNotExercisedIsSaid) {
  const auto quiet =
      not_exercised({"web", "ebpf", {run("a", 1, 60, {socket_of(AF_INET, SOCK_STREAM)})}});
  EXPECT_THAT(quiet, Contains(HasSubstr("later than 60 s")));
  EXPECT_THAT(quiet, Contains(HasSubstr("DNS")));
  EXPECT_THAT(quiet, Contains(HasSubstr("another version")));
  EXPECT_THAT(quiet, Contains(HasSubstr("TLS")));
}

TEST(Discovery, ADatagramSocketOrANetlinkOneMayHaveResolvedANameAndSoMayAnUnknownOne) {
  ObservedSyscall unknown = call(SYS_socket, 1);  // of a recording without tuples
  for (const ObservedSyscall& made :
       {socket_of(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC), socket_of(AF_NETLINK, SOCK_RAW), unknown}) {
    EXPECT_THAT(not_exercised({"web", "ebpf", {run("a", 1, 60, {made})}}),
                Not(Contains(HasSubstr("DNS"))));
  }
}

TEST(Discovery, NothingIsSaidOfNothing) {
  EXPECT_THAT(not_exercised({"web", "ebpf", {}}), IsEmpty());
}

}  // namespace
}  // namespace ward::profiles
