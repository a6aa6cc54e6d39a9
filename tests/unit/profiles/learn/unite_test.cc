// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/unite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace ward::profiles {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Run run_of(const std::string& id, std::vector<ObservedSyscall> calls) {
  Run run;
  run.id = id;
  run.syscalls = std::move(calls);
  return run;
}

TEST(Unite, CountsAreSummedTimesAreWidenedAndRunsAreKnownByTheirIds) {
  const United all = unite({run_of("a", {{SYS_read, Origin::kWorkload, 3, 50, 90, {}}}),
                            run_of("b", {{SYS_read, Origin::kWorkload, 4, 20, 60, {}}})});
  const UnitedCall& read = all.syscalls.at(SYS_read).at(Origin::kWorkload);
  EXPECT_EQ(read.count, 7U);
  EXPECT_EQ(read.first_seen_ns, 20);
  EXPECT_EQ(read.last_seen_ns, 90);
  EXPECT_THAT(read.runs, ElementsAre("a", "b"));
}

TEST(Unite, OriginsStayApartUntilSomebodyAsksForBoth) {
  const United all = unite({run_of("a", {{SYS_read, Origin::kWorkload, 3, 50, 60, {}},
                                         {SYS_read, Origin::kExec, 4, 20, 90, {}}})});
  const auto& origins = all.syscalls.at(SYS_read);
  EXPECT_EQ(origins.at(Origin::kWorkload).count, 3U);
  EXPECT_EQ(origins.at(Origin::kExec).count, 4U);
  const UnitedCall both = unite_origins(origins);
  EXPECT_EQ(both.count, 7U);
  EXPECT_EQ(both.first_seen_ns, 20);
  EXPECT_EQ(both.last_seen_ns, 90);
  EXPECT_THAT(both.runs, ElementsAre("a")) << "one run, of which there are two origins";
}

TEST(Unite, AnArgumentThatOneRunDidNotRecordIsIncomplete) {
  const ObservedSyscall with = {
      SYS_prctl, Origin::kWorkload, 1, 0, 0, {{0, ArgumentValues{{15}, false}}}};
  const ObservedSyscall without = {SYS_prctl, Origin::kWorkload, 1, 0, 0, {}};
  for (const auto& runs : {std::vector{run_of("a", {with}), run_of("b", {without})},
                           std::vector{run_of("a", {without}), run_of("b", {with})}}) {
    const United all = unite(runs);
    EXPECT_THAT(all.syscalls.at(SYS_prctl).at(Origin::kWorkload).incomplete, ElementsAre(0));
  }
  const United whole = unite({run_of("a", {with}), run_of("b", {with})});
  EXPECT_THAT(whole.syscalls.at(SYS_prctl).at(Origin::kWorkload).incomplete, IsEmpty());
}

TEST(Unite, ValuesAreASetThatIsTheWholeTruthOnlyIfEachOfThemIs) {
  const auto socket_of = [](std::uint64_t family, bool overflowed) {
    ObservedSyscall call = {
        SYS_socket, Origin::kWorkload, 1, 0, 0, {{0, ArgumentValues{{family}, overflowed}}}};
    call.together = ArgumentTuples{{ArgumentTuple{family, 1, 0}}, overflowed};
    return call;
  };
  const United whole =
      unite({run_of("a", {socket_of(1, false)}), run_of("b", {socket_of(2, false)})});
  const UnitedCall& known = whole.syscalls.at(SYS_socket).at(Origin::kWorkload);
  EXPECT_THAT(known.arguments.at(0).values, ElementsAre(1, 2));
  EXPECT_FALSE(known.arguments.at(0).overflowed);
  EXPECT_TRUE(known.together_known);
  EXPECT_THAT(known.together, ElementsAre(Pair(ArgumentTuple{1, 1, 0}, ElementsAre("a")),
                                          Pair(ArgumentTuple{2, 1, 0}, ElementsAre("b"))));

  const United cut = unite({run_of("a", {socket_of(1, true)}), run_of("b", {socket_of(2, false)})});
  const UnitedCall& partly = cut.syscalls.at(SYS_socket).at(Origin::kWorkload);
  EXPECT_TRUE(partly.arguments.at(0).overflowed);
  EXPECT_FALSE(partly.together_known);
  EXPECT_TRUE(partly.together_overflowed);
}

TEST(Unite, WhatAnOlderVersionDidNotRecordIsNotKnownAndHasNotOverflowed) {
  const United all = unite({run_of("a", {{SYS_socket, Origin::kWorkload, 1, 0, 0, {}}})});
  const UnitedCall& socket = all.syscalls.at(SYS_socket).at(Origin::kWorkload);
  EXPECT_FALSE(socket.together_known);
  EXPECT_FALSE(socket.together_overflowed);
}

TEST(Unite, EachListOfARunStaysByItself) {
  profiles::Run run = run_of("a", {{SYS_read, Origin::kWorkload, 1, 0, 0, {}}});
  run.runtime.push_back({SYS_capset, Origin::kWorkload, 1, 0, 0, {}});
  run.refused.push_back({SYS_mount, Origin::kExec, 1, 0, 0, {}});
  run.capabilities = {{"CAP_KILL", Origin::kWorkload, 2}, {"CAP_KILL", Origin::kExec, 3}};
  run.lost_events = 5;
  const United all = unite({run, run_of("b", {})});
  EXPECT_EQ(all.syscalls.size(), 1U);
  EXPECT_TRUE(all.runtime.contains(SYS_capset));
  EXPECT_TRUE(all.refused.contains(SYS_mount));
  EXPECT_EQ(all.lost_events, 5U);
  const auto& origins = all.capabilities.at("CAP_KILL");
  EXPECT_EQ(origins.at(Origin::kExec).count, 3U);
  EXPECT_EQ(unite_origins(origins).count, 5U);
  EXPECT_THAT(unite_origins(origins).runs, ElementsAre("a"));
}

}  // namespace
}  // namespace ward::profiles
