// SPDX-License-Identifier: Apache-2.0
// What a node lets run of itself, and everybody who would like it to let run more.
#include "profiles/learn/amend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "profiles/filter/call_tables.h"
#include "profiles/harm/harm_table.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kHour_ns = 3'600'000'000'000;
using Kind = AmendChange::What;

class AmendBookTest : public testing::Test {
 protected:
  AmendEvent event(const std::string& source, int nr = SYS_mkdir, CallArguments arguments = {}) {
    AmendEvent out;
    out.digest = "d1";
    out.source = source;
    out.nr = nr;
    out.arguments = arguments;
    return out;
  }
  void see(const AmendEvent& what) { note(book_, what, amendable_, living_); }
  void see(const std::string& source, int nr = SYS_mkdir) { see(event(source, nr)); }
  void pass(std::int64_t hours) { book_.watched_ns += hours * kHour_ns; }
  Decided settle() { return decide(book_, amendable_, in_force_, ++wall_ns_); }
  // Of three containers, over a day: amended.
  void amend(int nr = SYS_mkdir) {
    see("a", nr);
    see("b", nr);
    pass(24);
    see("c", nr);
    settle();
  }
  bool lets_run(int nr, const filter::CallArgs& args = {}) {
    const auto found = book_.profiles.find("d1");
    if (found == book_.profiles.end()) return false;
    const auto compiled = with_overlay({}, overlay_of(found->second));
    return filter::to_tolerated(compiled).allows(nr, args, ~0U);
  }
  bool in_filter(int nr, const filter::CallArgs& args = {}) {
    const auto found = book_.profiles.find("d1");
    if (found == book_.profiles.end()) return false;
    return filter::to_table(with_overlay({}, overlay_of(found->second)))
        .allows(nr, args, filter::kAllowedInServing);
  }

  AmendBook book_;
  Amendables amendable_{{"d1", {"web", Amend(), Posture::kStrict}}};
  std::set<std::string> in_force_{"d1"};
  Living living_ = std::set<std::string>();
  std::int64_t wall_ns_ = 0;
};

TEST_F(AmendBookTest, ThreeContainersOverADayAreEnough) {
  see("a");
  see("b");
  see("c");
  EXPECT_THAT(settle().changes, IsEmpty()) << "within a moment";
  pass(23);
  see("a");
  EXPECT_THAT(settle().changes, IsEmpty()) << "within 23 hours";
  pass(1);
  see("b");
  const auto changes = settle().changes;
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].what, Kind::kAmended);
  EXPECT_EQ(changes[0].profile, "web");
  EXPECT_EQ(changes[0].reason,
            "mkdir is let run from the next start, and counted: 3 containers made it over 24h");
  EXPECT_TRUE(lets_run(SYS_mkdir));
  EXPECT_FALSE(in_filter(SYS_mkdir)) << "what is amended stays counted";
  EXPECT_THAT(settle().changes, IsEmpty()) << "said once";
}

TEST_F(AmendBookTest, T39_OneContainerForDaysIsOneContainer) {
  for (int day = 0; day < 30; ++day) {
    pass(24);
    for (int i = 0; i < 100; ++i) see("a");
    see("b");
    EXPECT_THAT(settle().changes, IsEmpty()) << day;
  }
}

TEST_F(AmendBookTest, T39_WhoeverReachedForMoreBeforeOrSinceVouchesForNothing) {
  for (const bool before : {true, false}) {
    book_ = {};
    const auto reach = [&] { see("b", SYS_ptrace); };
    if (before) reach();
    see("a");
    see("b");
    see("c");
    pass(48);
    see("c");
    if (!before) reach();
    EXPECT_THAT(settle().changes, IsEmpty()) << before;
    see("d");
    EXPECT_EQ(settle().changes.size(), 1U) << "another one that did not is enough";
  }
}

TEST_F(AmendBookTest, T39_WhatItContributedFallsWhenItReachesForMoreLater) {
  amend();
  ASSERT_TRUE(lets_run(SYS_mkdir));
  see("c", SYS_mount);
  const auto changes = settle().changes;
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].what, Kind::kWithdrawn);
  EXPECT_THAT(changes[0].reason, HasSubstr("does not stand on enough"));
  EXPECT_FALSE(lets_run(SYS_mkdir));
  see("c");
  EXPECT_THAT(settle().changes, IsEmpty()) << "and it counts no more";
}

TEST_F(AmendBookTest, T39_OneOfFourThatReachesForMoreLeavesThreeThatStand) {
  see("d");
  amend();
  see("d", SYS_mount);
  EXPECT_THAT(settle().changes, IsEmpty());
  EXPECT_TRUE(lets_run(SYS_mkdir));
}

TEST_F(AmendBookTest, T39_ExecSessionsCountForNothingButAgainst) {
  for (const char* source : {"a", "b", "c"}) {
    AmendEvent one = event(source);
    one.origin = Origin::kExec;
    see(one);
    pass(24);
    see(one);
  }
  EXPECT_THAT(settle().changes, IsEmpty());
  amend();
  AmendEvent reach = event("a", SYS_mount);
  reach.origin = Origin::kExec;
  see(reach);
  EXPECT_EQ(settle().changes.size(), 1U) << "withdrawn";
}

// Every call and value that has a class: what gets in is never more than held, whatever else
// stands in the arguments.
TEST_F(AmendBookTest, T39_OnlyTheHeldPartOfACallGetsIn) {
  std::size_t mixed = 0;
  for (const HarmCall& call : harm_calls()) {
    const int nr = static_cast<int>(call.nr);
    std::vector<CallArguments> tried{{}};
    for (const HarmValue& value : call.values) {
      CallArguments arguments{};
      for (const HarmCondition& condition : value.conditions)
        arguments.at(condition.index) |=
            condition.values.empty() ? condition.mask : condition.values.front();
      tried.push_back(arguments);
    }
    for (const CallArguments& arguments : tried) {
      const auto part = held_part(nr, arguments);
      if (!part) continue;
      const filter::CallTable allowed =
          filter::to_tolerated(with_overlay({}, {{overlay_rule(nr, part->filters)}, {}}));
      for (const CallArguments& other : tried) {
        KnownArguments known;
        for (std::size_t i = 0; i < other.size(); ++i) known.at(i) = other.at(i);
        const bool worse = class_of(call, known) > HarmClass::kHeld;
        mixed += worse ? 1 : 0;
        EXPECT_FALSE(worse && allowed.allows(nr, other, ~0U)) << call.name;
      }
    }
  }
  EXPECT_GT(mixed, 20U) << "calls of which some values are held, and some are not";
  EXPECT_FALSE(held_part(SYS_socket, {AF_PACKET, SOCK_RAW, 0}));
  EXPECT_FALSE(held_part(SYS_clone, {0x10000000}));
  EXPECT_FALSE(held_part(99999, {}));
  EXPECT_FALSE(held_part(-1, {}));
}

// Calls of one number that have no records of their own may hide worse ones behind one that is
// shown.
TEST_F(AmendBookTest, T39_ARecordThatStandsForOtherArgumentsTooMayHideReach) {
  amend();
  AmendEvent folded = event("a", SYS_mkdir);
  folded.several = true;
  see(folded);
  EXPECT_THAT(settle().changes, IsEmpty()) << "every mkdir is held";
  folded = event("a", SYS_ioctl, {3, FIONREAD});
  ASSERT_TRUE(held_part(folded.nr, folded.arguments)) << "the shown one is";
  folded.several = true;
  see(folded);
  EXPECT_EQ(settle().changes.size(), 1U) << "withdrawn";
}

TEST_F(AmendBookTest, T39_LostRecordsMayHaveToldOfReach) {
  amend();
  AmendEvent lost = event("b");
  lost.stops = true;
  see(lost);
  EXPECT_EQ(settle().changes.size(), 1U) << "withdrawn";
  see("d");
  see("e");
  forget_seen(book_);
  see("f");
  see("g");
  pass(24);
  see("g");
  EXPECT_THAT(settle().changes, IsEmpty()) << "d and e came before a loss";
}

TEST_F(AmendBookTest, T39_AFloodOfKindsIsBoundedByHourAndByProfile) {
  std::vector<int> calls;
  for (const HarmCall& call : harm_calls())
    if (call.harm == HarmClass::kHeld && call.values.empty())
      calls.push_back(static_cast<int>(call.nr));
  ASSERT_GT(calls.size(), kMostAmendedPerProfile);
  for (int round = 0; round < 2; ++round) {
    for (const int nr : calls)
      for (const char* source : {"a", "b", "c"}) see(source, nr);
    pass(24);
  }
  Decided decided = settle();
  EXPECT_EQ(decided.changes.size(), kMostAmendedPerHour);
  EXPECT_GT(decided.waiting, 0U);
  EXPECT_THAT(settle().changes, IsEmpty()) << "within the hour";
  pass(2);
  EXPECT_EQ(settle().changes.size(), kMostAmendedPerProfile - kMostAmendedPerHour);
  pass(2);
  decided = settle();
  EXPECT_THAT(decided.changes, IsEmpty());
  EXPECT_GT(decided.waiting, 0U) << "the rest waits for a person";
  EXPECT_LE(book_.profiles.at("d1").calls.size(), kMostAmendCalls);
}

TEST_F(AmendBookTest, T39_ManySourcesCostBoundedMemory) {
  for (std::size_t i = 0; i < 3 * kMostAmendSources; ++i) see("s" + std::to_string(i));
  EXPECT_EQ(book_.profiles.at("d1").calls.at(0).sources.size(), kMostAmendSources);
  for (std::size_t i = 0; i < kMostStoppedSources + 10; ++i) {
    see("gone" + std::to_string(i), SYS_mount);
    book_.watched_ns += 1;
  }
  EXPECT_EQ(book_.stopped.size(), kMostStoppedSources);
  EXPECT_FALSE(book_.overfull) << "those that are gone make no call any more";
}

TEST_F(AmendBookTest, T39_ASourceThatRunsIsNotForgottenForWantOfRoom) {
  see("evil", SYS_mount);
  living_->insert("evil");
  for (std::size_t i = 0; i < kMostStoppedSources + 200; ++i) {
    book_.watched_ns += 1;
    see("gone" + std::to_string(i), SYS_mount);
  }
  EXPECT_TRUE(book_.stopped.contains("evil"));
  for (const auto& [source, at] : book_.stopped) living_->insert(source);
  see("one more", SYS_mount);
  EXPECT_TRUE(book_.overfull);
  amend();
  EXPECT_FALSE(lets_run(SYS_mkdir)) << "where it is not known who reached for more, nothing is";
}

// Withdrawn and made again as often as somebody likes to start containers: bounded an hour.
TEST_F(AmendBookTest, T39_ALoopOfAmendingAndWithdrawingIsBoundedPerHour) {
  std::size_t made = 0;
  for (int round = 0; round < 100; ++round) {
    const std::string pod = "pod" + std::to_string(round);
    for (const char* nth : {"1", "2", "3"}) see(pod + nth);
    book_.profiles["d1"].calls.at(0).sources[pod + "1"].first_ns -= 24 * kHour_ns;
    for (const auto& change : settle().changes) made += change.what == Kind::kAmended ? 1 : 0;
    for (const char* nth : {"1", "2", "3"}) see(pod + nth, SYS_mount);
    settle();
  }
  EXPECT_EQ(made, kMostAmendedPerHour);
}

TEST_F(AmendBookTest, APersonsDropHoldsForThisVersion) {
  amend();
  amend(SYS_rmdir);
  const auto dropped = drop(book_, "d1", "mkdir");
  ASSERT_EQ(dropped.size(), 1U);
  EXPECT_FALSE(lets_run(SYS_mkdir));
  EXPECT_TRUE(lets_run(SYS_rmdir));
  EXPECT_THAT(drop(book_, "d1", "mkdir"), IsEmpty()) << "the second of two people";
  amend();
  EXPECT_FALSE(lets_run(SYS_mkdir)) << "although it stands on enough";
  EXPECT_EQ(drop(book_, "d1", "").size(), 1U);
}

TEST_F(AmendBookTest, AnotherVersionDropsAllOfIt) {
  amend();
  amendable_ = {{"d2", {"web", Amend(), Posture::kStrict}}};
  in_force_ = {"d2"};
  const auto changes = settle().changes;
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_THAT(changes[0].reason, HasSubstr("another version"));
  EXPECT_THAT(book_.profiles, IsEmpty());
  in_force_ = {"d1"};
  amendable_ = {{"d1", {"web", Amend(), Posture::kStrict}}};
  EXPECT_THAT(settle().changes, IsEmpty()) << "also after a way back";
}

TEST_F(AmendBookTest, APolicyThatSaysAmendNoMoreOrAsksForMoreWithdraws) {
  amend();
  amendable_["d1"].terms.containers = 4;
  EXPECT_EQ(settle().changes.at(0).what, Kind::kWithdrawn);
  amendable_["d1"].terms.containers = 3;
  EXPECT_EQ(settle().changes.at(0).what, Kind::kAmended);
  amendable_.clear();
  EXPECT_THAT(settle().changes.at(0).reason, HasSubstr("no policy says amend any more"));
  EXPECT_FALSE(lets_run(SYS_mkdir));
}

TEST_F(AmendBookTest, WhatAPostureLetsRunVeryOftenGoesIntoTheFilterAndNothingElse) {
  amendable_["d1"].posture = Posture::kBalanced;
  AmendEvent often = event("a");
  often.tolerated = true;
  often.per_second = 999;
  see(often);
  EXPECT_THAT(settle().changes, IsEmpty());
  often.per_second = 1001;
  see(often);
  EXPECT_EQ(settle().changes.at(0).what, Kind::kHot);
  EXPECT_TRUE(in_filter(SYS_mkdir));
  EXPECT_FALSE(in_filter(SYS_rmdir));
  for (AmendEvent worse : {event("a", SYS_listen), event("a", SYS_mount), event("b", SYS_socket)}) {
    worse.tolerated = true;  // by a lenient posture
    worse.per_second = 100'000;
    see(worse);
    EXPECT_THAT(settle().changes, IsEmpty());
    EXPECT_FALSE(in_filter(worse.nr));
  }
  AmendEvent exec = event("a", SYS_rmdir);
  exec.tolerated = true;
  exec.per_second = 5000;
  exec.origin = Origin::kExec;
  see(exec);
  EXPECT_THAT(settle().changes, IsEmpty());
  see("a", SYS_mount);
  EXPECT_EQ(settle().changes.at(0).what, Kind::kWithdrawn);
}

// Of a strict profile nothing is let run but by an amendment, which may have been withdrawn since.
TEST_F(AmendBookTest, T39_AContainerThatGoesOnUnderAWithdrawnAmendmentMakesNothingHot) {
  amend();
  for (const char* source : {"a", "b", "c"}) see(source, SYS_mount);
  settle();
  ASSERT_FALSE(lets_run(SYS_mkdir));
  AmendEvent often = event("z");
  often.tolerated = true;
  often.per_second = 100'000;
  see(often);
  EXPECT_THAT(settle().changes, IsEmpty());
  EXPECT_FALSE(in_filter(SYS_mkdir));
}

// Only for the posture's own calls: an amendment stays counted, however often it comes.
TEST_F(AmendBookTest, WhatIsAmendedStaysCountedHoweverOftenItComes) {
  amend();
  AmendEvent often = event("a");
  often.tolerated = true;
  often.count = 7'200'000;
  often.per_second = 2000;
  see(often);
  EXPECT_THAT(settle().changes, IsEmpty());
  EXPECT_TRUE(lets_run(SYS_mkdir));
  EXPECT_FALSE(in_filter(SYS_mkdir));
  EXPECT_EQ(book_.profiles.at("d1").calls.at(0).count, 7'200'003U);
}

}  // namespace
}  // namespace ward::profiles
