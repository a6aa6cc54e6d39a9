// SPDX-License-Identifier: Apache-2.0
// From the journal to what a node lets run of itself, over restarts and clocks that are set.
#include "enforcer/overlay/amendments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <limits>

#include "lib/base/clock.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class AmendmentsTest : public testing::Test {
 protected:
  AmendmentsTest() { open(); }
  void open() {
    amendments_.reset();
    journal_.reset();
    writer_.reset();
    writer_.emplace(loop_, database_);
    journal_.emplace(*writer_, database_, JournalLimits{});
    amendments_.emplace(*writer_, *journal_, database_);
    settle();
    ASSERT_TRUE(amendments_->load());
  }
  void settle() {
    bool settled = false;
    writer_->drain([&] { settled = true; });
    EXPECT_TRUE(test::run_until(loop_, [&] { return settled; }));
  }
  node::v1::Violation violation(const std::string& container, int nr = SYS_mkdir) {
    node::v1::Violation body;
    body.set_event_id("e" + std::to_string(++events_));
    body.set_wall_ns(wall_ns());
    body.mutable_identity()->set_containerd_namespace("default");
    body.mutable_identity()->set_container_id(container);
    body.set_origin(node::v1::ORIGIN_WORKLOAD);
    body.set_phase(node::v1::PHASE_SERVING);
    body.set_profile_name("web");
    body.set_profile_digest("d1");
    body.set_syscall_nr(nr);
    for (int i = 0; i < 6; ++i) body.add_args(0);
    body.set_pid(7);
    body.set_tid(7);
    return body;
  }
  void journal(const node::v1::Violation& body) {
    journal_->append({{kind_of(body), body}}, [](const Result<void>&) {});
    settle();
  }
  void look() {
    const auto done = amendments_->look(amendable_, {"d1"}, living_);
    EXPECT_TRUE(done) << done.error().message;
    settle();
  }
  [[nodiscard]] std::size_t amended() const {
    std::size_t out = 0;
    for (const auto& [digest, profile] : amendments_->book().profiles)
      for (const auto& call : profile.calls) out += profiles::is_in_force(call) ? 1 : 0;
    return out;
  }
  std::vector<std::string> told() {
    std::vector<std::string> out;
    const auto records = journal_->read(0, "", 1000).value();
    for (const auto& record : records)
      if (record.entry.kind == EventKind::kAmended ||
          record.entry.kind == EventKind::kAmendmentDropped)
        out.push_back(std::string(event_kind_name(record.entry.kind)) + " " +
                      record.entry.body.reason());
    return out;
  }

  test::ScratchDirectory directory_;
  const std::filesystem::path database_ = directory_.path() / "ward.db";
  asio::io_context loop_;
  std::optional<Writer> writer_;
  std::optional<Journal> journal_;
  std::optional<Amendments> amendments_;
  profiles::Amendables amendable_{
      {"d1", {"web", {3, std::chrono::seconds(0)}, profiles::Posture::kStrict}}};
  profiles::Living living_;
  int events_ = 0;
};

TEST_F(AmendmentsTest, EventsOfThreeContainersBecomeAnOverlayThatOutlivesWardd) {
  for (const char* container : {"a", "b"}) journal(violation(container));
  look();
  EXPECT_EQ(amended(), 0U);
  open();
  journal(violation("c"));
  look();
  EXPECT_EQ(amended(), 1U) << "what was seen before the restart counts";
  EXPECT_THAT(told(), Contains(HasSubstr("amended mkdir is let run from the next start")));
  const auto before = profiles::digest(amendments_->overlays().at("d1"));
  open();
  EXPECT_EQ(profiles::digest(amendments_->overlays().at("d1")), before);
  const auto dropped = amendments_->drop("d1", "web", "");
  EXPECT_EQ(dropped.size(), 1U);
  settle();
  open();
  look();
  EXPECT_THAT(amendments_->overlays(), IsEmpty()) << "a person's word outlives wardd too";
  EXPECT_THAT(told(), Contains(HasSubstr("amendment-dropped mkdir: a person dropped it")));
}

TEST_F(AmendmentsTest, ADatabaseOfAWarddWithoutAmendmentsGetsTheirTable) {
  writer_->submit(
      [](Connection& connection) { return connection.execute("DROP TABLE amendments"); },
      [](const Result<void>& done) { EXPECT_TRUE(done); });
  settle();
  open();
  for (const char* container : {"a", "b", "c"}) journal(violation(container));
  look();
  EXPECT_EQ(amended(), 1U);
}

// What left the journal unread may have told that one of them reached for more.
TEST_F(AmendmentsTest, T39_WhoLivedWhenEventsWentUnreadVouchesForNothing) {
  journal(violation("a", SYS_mount));
  journal(violation("a"));
  journal_->set_limits({1, JournalLimits{}.max_age_ns});
  journal_->expire();
  settle();
  ASSERT_EQ(journal_->read(0, "", 10).value().size(), 1U);
  for (const char* container : {"b", "c", "d"}) journal(violation(container));
  look();
  EXPECT_EQ(amended(), 0U) << "nobody knows yet who lives";
  living_ = {"container default/a", "container default/b", "container default/c",
             "container default/d"};
  look();
  for (const char* container : {"a", "b", "c", "d"}) journal(violation(container));
  look();
  EXPECT_EQ(amended(), 0U);
  for (const char* container : {"e", "f", "g"}) journal(violation(container));
  look();
  EXPECT_EQ(amended(), 1U) << "who came later has nothing to hide";
}

TEST_F(AmendmentsTest, T39_AClockThatIsSetMakesNoTimePass) {
  amendable_["d1"].terms.over = std::chrono::hours(24);
  constexpr std::int64_t kWeek_ns = 7LL * 24 * 3600 * 1'000'000'000;
  const std::int64_t now = wall_ns();
  for (const std::int64_t at :
       {now, now + 4 * kWeek_ns, now - 4 * kWeek_ns, std::int64_t{1},
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    for (const char* container : {"a", "b", "c"}) {
      auto body = violation(container);
      body.set_wall_ns(at);
      body.set_monotonic_ns(at);
      journal(body);
    }
    look();
    EXPECT_EQ(amended(), 0U) << at;
  }
}

TEST_F(AmendmentsTest, T39_ContainersOfOnePodAreOne) {
  for (const char* container : {"a", "b", "c", "d"}) {
    auto body = violation(container);
    body.mutable_identity()->set_kubernetes_namespace("shop");
    body.mutable_identity()->set_pod("cart-1");
    journal(body);
  }
  look();
  EXPECT_EQ(amended(), 0U) << "one that ends and is started again by its kubelet";
}

TEST_F(AmendmentsTest, WhatSaysNothingOfTheWorkloadDoesNotCount) {
  const auto all = [&](auto change) {
    for (const char* container : {"a", "b", "c"}) {
      auto body = violation(container);
      change(body);
      journal(body);
    }
    look();
    return amended();
  };
  EXPECT_EQ(all([](auto& body) { body.set_origin(node::v1::ORIGIN_EXEC); }), 0U);
  EXPECT_EQ(all([](auto& body) { body.set_phase(node::v1::PHASE_RUNTIME); }), 0U);
  EXPECT_EQ(all([](auto& body) { body.set_own_filter_denies(true); }), 0U);
  EXPECT_EQ(all([](auto& body) { body.set_own_number(true); }), 0U);
  EXPECT_EQ(all([](auto& body) { body.set_profile_digest("of another version"); }), 0U);
  EXPECT_EQ(all([](auto& body) { body.set_tolerated(true); }), 0U);
  EXPECT_EQ(all([](auto& body) { body.set_syscall_nr(SYS_listen); }), 0U);
  EXPECT_EQ(all([](auto&) {}), 0U) << "and those that listened count for nothing any more";
}

// Of the journal a reader must have all before it decides: the last event may be the one.
TEST_F(AmendmentsTest, T39_ReachAfterThousandsOfEventsIsReadBeforeAnythingIsDecided) {
  std::vector<JournalEntry> entries;
  for (const char* container : {"a", "b", "c"})
    entries.push_back({EventKind::kViolation, violation(container)});
  for (int i = 0; i < 9000; ++i) entries.push_back({EventKind::kReleased, violation("other")});
  for (const char* container : {"a", "b", "c"})
    entries.push_back({EventKind::kViolation, violation(container, SYS_mount)});
  journal_->append(std::move(entries), [](const Result<void>&) {});
  settle();
  for (int i = 0; i < 5; ++i) look();
  EXPECT_EQ(amended(), 0U);
  EXPECT_THAT(told(), IsEmpty()) << "not for a moment";
}

TEST_F(AmendmentsTest, ARateIsThatOfTheRecordsBetweenTwo) {
  AmendEvents events;
  auto body = violation("a");
  body.set_tolerated(true);
  const auto rate = [&](std::int64_t monotonic_ns, std::uint64_t repeats,
                        const std::string& boot = "b1") {
    body.set_monotonic_ns(monotonic_ns);
    body.set_repeats(repeats);
    body.set_boot_id(boot);
    return events.take({1, {EventKind::kTolerated, body}})->per_second;
  };
  EXPECT_EQ(rate(5'000'000'000, 0), 0) << "the first one says nothing";
  EXPECT_DOUBLE_EQ(rate(7'000'000'000, 3999), 2000);
  EXPECT_EQ(rate(7'100'000'000, 99'999), 0) << "a moment says nothing";
  EXPECT_EQ(rate(1'000'000'000, 99'999), 0) << "a clock that went back neither";
  EXPECT_EQ(rate(9'000'000'000, 99'999, "b2"), 0) << "nor that of another boot";
}

TEST(AmendRowsTest, DamagedRowsLetRunLess) {
  KeptAmendments kept;
  kept.read_to = 7;
  kept.book.watched_ns = 99;
  kept.book.stopped["container default/evil"] = 5;
  auto& call = kept.book.profiles["d1"].calls.emplace_back();
  kept.book.profiles["d1"].name = "web";
  call.nr = SYS_mkdir;
  call.state = profiles::AmendState::kAmended;
  call.sources["container default/a"] = {1, 2, true};
  const AmendRows rows = to_rows(kept);
  EXPECT_EQ(to_rows(from_rows(rows)), rows);
  for (const auto& [name, body] : rows) {
    for (const std::string& damaged : {std::string("{"), std::string("[]"), std::string("null"),
                                       body.substr(1), std::string()}) {
      AmendRows changed = rows;
      changed[name] = damaged;
      const KeptAmendments read = from_rows(changed);
      EXPECT_THAT(read.book.profiles, IsEmpty()) << name << ": " << damaged;
    }
    AmendRows missing = rows;
    missing.erase(name);
    EXPECT_THAT(from_rows(missing).book.profiles, IsEmpty()) << name;
  }
}

}  // namespace
}  // namespace ward::enforcer
