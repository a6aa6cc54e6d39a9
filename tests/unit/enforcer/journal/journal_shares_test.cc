// SPDX-License-Identifier: Apache-2.0
// How the journal is shared where it is full (H05).
#include "tests/unit/enforcer/journal/journal_test_base.h"

namespace ward::enforcer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

JournalEntry of_workload(const std::string& id, const std::string& image,
                         const std::string& container) {
  JournalEntry entry = violation(id, container);
  entry.body.mutable_identity()->set_image(image);
  return entry;
}

class JournalShares : public JournalTest {
 protected:
  void append_many(const std::string& image, int count, const std::string& container = "") {
    std::vector<JournalEntry> entries;
    for (int i = 0; i < count; ++i) {
      const std::string id = image + std::to_string(next_++);
      // In a loop: each start is a container of its own, and its name what the attacker likes.
      entries.push_back(of_workload(id, image, container.empty() ? id : container));
    }
    ASSERT_TRUE(append(std::move(entries)));
  }
  void expire_down_to(std::uint64_t events) {
    journal_->set_limits({events, JournalLimits{}.max_age_ns});
    journal_->expire();
    EXPECT_TRUE(drained());
  }
  bool drained() {
    std::optional<Result<void>> answer;
    writer_->submit([](Connection&) -> Result<void> { return {}; },
                    [&](Result<void> done) { answer = done; });
    return test::run_until(loop_, [&] { return answer.has_value(); });
  }
  std::map<std::string, int> by_image() {
    std::map<std::string, int> out;
    const auto records = journal_->read(0, "", 100'000);
    EXPECT_TRUE(records.has_value());
    for (const auto& record : *records) ++out[record.entry.body.identity().image()];
    return out;
  }
  int next_ = 0;
};

TEST_F(JournalShares, H05_AContainerInALoopPushesOutItsOwnEventsOnly) {
  open();
  append_many("quiet", 3);
  journal_->note({EventKind::kProfileApplied, {}});
  append_many("loop", 2000);
  append_many("other", 30);
  append_many("loop", 2000);
  expire_down_to(200);
  EXPECT_THAT(by_image(), UnorderedElementsAre(Pair("quiet", 3), Pair("", 1), Pair("other", 30),
                                               Pair("loop", 166)));
  EXPECT_EQ(journal_->counts().expired_share, 3834U);
  EXPECT_EQ(journal_->counts().expired, 3834U);
  EXPECT_EQ(journal_->read(0, "", 1000)->back().entry.body.event_id(), "loop4032")
      << "the newest stay";
}

TEST_F(JournalShares, H05_WhatTwoLoopsFillGoesToNobodyElsesCost) {
  open();
  append_many("quiet", 10);
  append_many("one", 1000);
  append_many("two", 900);
  expire_down_to(100);
  EXPECT_THAT(by_image(),
              UnorderedElementsAre(Pair("quiet", 10), Pair("one", 45), Pair("two", 45)));
}

TEST_F(JournalShares, H05_OfManyWorkloadsWithAFewEventsEachTheOldestGo) {
  open();
  append_many("first", 1);
  for (int i = 0; i < 300; ++i) append_many("w" + std::to_string(i), 1);
  expire_down_to(100);
  const auto left = by_image();
  EXPECT_EQ(left.size(), 100U);
  EXPECT_EQ(left.count("first"), 0U);
  EXPECT_EQ(left.count("w299"), 1U);
  EXPECT_EQ(journal_->counts().expired_number, 201U);
}

TEST_F(JournalShares, H05_EventsOfAContainerInQuarantineStayWhileItIs) {
  open();
  std::vector<HeldContainer> held{{"default", "caught"}};
  journal_->set_held([&] { return held; });
  append_many("loop", 5, "caught");
  append_many("loop", 1000);  // the same workload: its next start
  append_many("other", 500);
  expire_down_to(50);
  const auto of_caught = [&] { return ids("caught").size(); };
  EXPECT_EQ(of_caught(), 5U);
  auto old = of_workload("old", "loop", "caught");
  old.body.set_wall_ns(1);
  ASSERT_TRUE(append({old}));
  expire_down_to(50);
  EXPECT_EQ(of_caught(), 6U) << "neither by age";
  held.clear();
  append_many("other", 2000);
  expire_down_to(50);
  EXPECT_EQ(journal_->counts().expired_age, 1U);
  EXPECT_LE(of_caught(), 5U);
}

TEST_F(JournalShares, H05_NothingIsDroppedBeforeItIsKnownWhatIsQuarantined) {
  open();
  journal_->set_held([] { return std::nullopt; });
  append_many("loop", 2000);
  expire_down_to(10);
  EXPECT_EQ(journal_->counts().expired, 0U);
}

TEST_F(JournalShares, H05_WhatIsHeldIsBoundedForEachContainer) {
  open();
  journal_->set_held([] { return std::vector<HeldContainer>{{"default", "caught"}}; });
  std::vector<JournalEntry> entries;
  for (int i = 0; i < 3000; ++i) {
    entries.push_back(of_workload("e" + std::to_string(i), "loop", "caught"));
    entries.back().body.set_wall_ns(1);  // past every age
  }
  ASSERT_TRUE(append(std::move(entries)));
  expire_down_to(10'000);
  EXPECT_EQ(journal_->read(0, "caught", 10'000)->size(), static_cast<std::size_t>(kHeldEvents));
}

TEST_F(JournalShares, H05_QuarantinedContainersOfOneWorkloadKeepAQuarterOfTheJournal) {
  open();
  std::vector<HeldContainer> held;
  journal_->set_held([&] { return held; });
  append_many("quiet", 3);
  append_many("other", 150);
  for (int i = 0; i < 40; ++i) {
    held.push_back({"default", "caught" + std::to_string(i)});
    append_many("loop", 50, held.back().container);
  }
  expire_down_to(400);
  EXPECT_THAT(by_image(),
              UnorderedElementsAre(Pair("quiet", 3), Pair("other", 150), Pair("loop", 247)));
  EXPECT_EQ(ids("caught39").size(), 50U) << "the newest stay";
  EXPECT_EQ(journal_->counts().expired_share, journal_->counts().expired);
}

TEST_F(JournalShares, H05_WhatIsHeldIsGivenByTheNextLargestNotByTheOldest) {
  open();
  journal_->set_held([] { return std::vector<HeldContainer>{{"default", "caught"}}; });
  append_many("quiet", 10);
  append_many("loop", 300, "caught");
  for (int i = 0; i < 10; ++i) append_many("w" + std::to_string(i), 60);
  expire_down_to(400);
  const auto left = by_image();
  EXPECT_EQ(left.at("quiet"), 10);
  EXPECT_EQ(left.at("loop"), 100) << "a quarter";
  EXPECT_EQ(left.at("w0"), 29);
  EXPECT_EQ(left.at("w9"), 29);
  EXPECT_EQ(journal_->counts().expired_number, 0U);
}

TEST_F(JournalShares, H05_QuarantinedContainersOfManyWorkloadsKeepHalfOfTheJournal) {
  open();
  std::vector<HeldContainer> held{{"default", "honest"}};
  journal_->set_held([&] { return held; });
  append_many("quiet", 20, "honest");
  append_many("other", 100);
  for (int i = 0; i < 40; ++i) {
    const std::string name = "caught" + std::to_string(i);
    held.push_back({"default", name});
    append_many(name, 100, name);  // an image of its own each
  }
  append_many("new", 90);
  expire_down_to(400);
  const auto left = by_image();
  EXPECT_GE(left.at("quiet"), 9) << "what is held is shared alike";
  EXPECT_GE(left.at("new"), 9) << "who comes later has room, too";
  std::size_t sum = 0;
  for (const auto& [image, count] : left) sum += static_cast<std::size_t>(count);
  EXPECT_EQ(sum, 400U);
}

// A journal of the version before: its events are of the workloads that their bodies tell.
TEST_F(JournalShares, H05_AnOlderJournalIsSharedTheSameWay) {
  {
    auto old = Connection::open(database(), Access::kReadWrite);
    ASSERT_TRUE(old);
    ASSERT_TRUE(old->execute(
        "CREATE TABLE events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL"
        " UNIQUE, wall_ns INTEGER NOT NULL, kind TEXT NOT NULL, containerd_namespace TEXT NOT"
        " NULL, container TEXT NOT NULL, body BLOB NOT NULL);"
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
        "PRAGMA user_version=1;"));
    for (int i = 0; i < 400; ++i) {
      const auto entry = of_workload("e" + std::to_string(i), i < 5 ? "quiet" : "loop", "c");
      auto insert = old->prepare(
          "INSERT INTO events (event_id, wall_ns, kind, containerd_namespace, container, body)"
          " VALUES (?, ?, 'violation', 'default', 'c', ?)");
      ASSERT_TRUE(insert);
      insert->bind(entry.body.event_id())
          .bind(entry.body.wall_ns())
          .bind_blob(entry.body.SerializeAsString());
      ASSERT_TRUE(insert->run());
    }
  }
  open();
  EXPECT_FALSE(writer_->problem()) << *writer_->problem();
  expire_down_to(100);
  EXPECT_THAT(by_image(), UnorderedElementsAre(Pair("quiet", 5), Pair("loop", 95)));
}

// What a pass costs does not grow with the journal: it looks up, and never reads all of it.
TEST_F(JournalShares, H05_APassLooksUpAndDoesNotScan) {
  open();
  append_many("loop", 100);
  expire_down_to(1000);
  auto connection = Connection::open(database(), Access::kReadOnly);
  ASSERT_TRUE(connection);
  for (const char* sql :
       {"SELECT sequence FROM events WHERE workload = 'x' ORDER BY sequence LIMIT 5",
        "SELECT sequence FROM events WHERE wall_ns < 5 ORDER BY wall_ns LIMIT 5",
        "SELECT workload, events FROM shares ORDER BY events DESC LIMIT 64",
        "SELECT sequence, body FROM events WHERE workload = '' ORDER BY sequence LIMIT 5",
        ("SELECT sequence FROM events WHERE container = 'x' AND containerd_namespace = 'y'"
         " ORDER BY sequence DESC LIMIT 5")}) {
    auto plan = connection->prepare("EXPLAIN QUERY PLAN " + std::string(sql));
    ASSERT_TRUE(plan);
    for (auto row = plan->step(); row && *row; row = plan->step()) {
      EXPECT_THAT(plan->text(3), testing::HasSubstr("USING")) << sql;
      EXPECT_THAT(plan->text(3), testing::Not(HasSubstr("TEMP B-TREE"))) << sql;
    }
  }
}

}  // namespace
}  // namespace ward::enforcer
