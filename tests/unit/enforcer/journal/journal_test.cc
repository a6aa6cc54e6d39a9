// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

JournalEntry violation(const std::string& id, const std::string& container = "web") {
  JournalEntry entry{EventKind::kViolation, {}};
  entry.body.set_event_id(id);
  entry.body.set_wall_ns(wall_ns());
  entry.body.mutable_identity()->set_containerd_namespace("default");
  entry.body.mutable_identity()->set_container_id(container);
  entry.body.set_syscall("unshare");
  return entry;
}

class JournalTest : public testing::Test {
 protected:
  void open() {
    writer_.emplace(loop_, database());
    journal_.emplace(*writer_, database(), JournalLimits{});
  }
  void close() {
    journal_.reset();
    writer_.reset();
  }
  std::filesystem::path database() { return directory_.path() / "ward.db"; }

  Result<void> append(std::vector<JournalEntry> entries) {
    std::optional<Result<void>> answer;
    journal_->append(std::move(entries), [&](Result<void> result) { answer = std::move(result); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return answer.has_value(); }));
    return answer.value_or(fail(Code::kDeadlineExceeded, "no answer"));
  }
  std::vector<std::string> ids(const std::string& container = "") {
    std::vector<std::string> out;
    const auto records = journal_->read(0, container, 100);
    EXPECT_TRUE(records) << records.error().message;
    if (records) {
      for (const auto& record : *records) out.push_back(record.entry.body.event_id());
    }
    return out;
  }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  std::optional<Writer> writer_;
  std::optional<Journal> journal_;
};

using testing::ElementsAre;
using testing::HasSubstr;

// What the database keeps and people filter by: each word stands for one kind, and the page has
// them all.
TEST(EventKindTest, WordsAreReadBackAndDocumented) {
  const std::string page = read_file("docs/json.md").value();
  for (const EventKind kind : event_kinds()) {
    const std::string word(event_kind_name(kind));
    EXPECT_EQ(parse_event_kind(word), kind);
    EXPECT_NE(page.find("`" + word + "`"), std::string::npos)
        << "docs/json.md does not name " << word;
  }
  EXPECT_EQ(parse_event_kind("nothing-we-know"), EventKind::kUnknown);
}

TEST_F(JournalTest, I4_AnEventThatComesTwiceIsKeptOnce) {
  open();
  ASSERT_TRUE(append({violation("a"), violation("b")}));
  ASSERT_TRUE(append({violation("b"), violation("c")}));
  EXPECT_THAT(ids(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(journal_->counts().events, 3U);
}

TEST_F(JournalTest, I4_EventsCountersAndOrderOutliveTheProcess) {
  open();
  auto lossy = violation("a");
  lossy.body.set_dropped_before(7);
  ASSERT_TRUE(append({lossy, violation("b")}));
  close();
  open();
  ASSERT_TRUE(append({violation("a"), violation("c")}));
  EXPECT_THAT(ids(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(journal_->counts().events, 3U);
  EXPECT_EQ(journal_->counts().dropped, 7U);
}

TEST_F(JournalTest, I4_WhatWasAcknowledgedSurvivesSigkill) {
  int answered[2];
  ASSERT_EQ(::pipe(answered), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    open();
    const char ok = append({violation("kept")}) ? 1 : 0;
    (void)!::write(answered[1], &ok, 1);
    ::pause();
  }
  char ok = 0;
  ASSERT_EQ(::read(answered[0], &ok, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(answered[0]);
  ::close(answered[1]);
  ASSERT_EQ(ok, 1);
  open();
  EXPECT_THAT(ids(), ElementsAre("kept"));
}

TEST_F(JournalTest, I4_AToleratedCallIsAnEventAndNoViolation) {
  open();
  node::v1::Violation reported;
  reported.set_tolerated(true);
  EXPECT_EQ(kind_of(reported), EventKind::kTolerated);
  EXPECT_EQ(kind_of({}), EventKind::kViolation);
  reported.set_session(node::v1::SESSION_NOTE_REFUSED);
  EXPECT_EQ(kind_of(reported), EventKind::kSessionRefused);
  reported.set_session(node::v1::SESSION_NOTE_NEWER_PROGRAM);
  EXPECT_EQ(kind_of(reported), EventKind::kNewerProgram);
  auto tolerated = violation("s1-1");
  tolerated.kind = EventKind::kTolerated;
  tolerated.body.set_tolerated(true);
  tolerated.body.set_repeats(40);
  tolerated.body.set_dropped_before(2);
  ASSERT_TRUE(append({tolerated, violation("s1-2")}));
  EXPECT_EQ(journal_->counts().events, 2U);
  EXPECT_EQ(journal_->counts().told, 1U);
  EXPECT_EQ(journal_->account("s1").value_or(0), 3U) << "the violation, and two lost before";
}

TEST_F(JournalTest, AnEventWithoutAnIdIsStillKeptOnce) {
  open();
  JournalEntry nameless = violation("");
  ASSERT_TRUE(append({nameless}));
  ASSERT_TRUE(append({nameless}));
  EXPECT_EQ(ids().size(), 1U);
}

TEST_F(JournalTest, ReadsByContainerAndFromTheNewest) {
  open();
  ASSERT_TRUE(append(
      {violation("a", "web"), violation("b", "db"), violation("c", "web"), violation("d", "web")}));
  EXPECT_THAT(ids("web"), ElementsAre("a", "c", "d"));
  const auto start = journal_->sequence_before_newest(2, "web");
  ASSERT_TRUE(start);
  const auto records = journal_->read(*start, "web", 100);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ(records->front().entry.body.event_id(), "c");
  EXPECT_EQ(journal_->sequence_before_newest(100, "web").value_or(99), 0U);
}

TEST_F(JournalTest, LimitsRemoveTheOldestAndCountThem) {
  open();
  ASSERT_TRUE(append({violation("a"), violation("b"), violation("c")}));
  journal_->set_limits({2, JournalLimits{}.max_age_ns});
  journal_->expire();
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_->counts().expired == 1; }));
  EXPECT_THAT(ids(), ElementsAre("b", "c"));
  EXPECT_EQ(journal_->counts().events, 3U);
}

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

using testing::Pair;
using testing::UnorderedElementsAre;

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

TEST_F(JournalTest, SubscribersAreWokenOnlyByNewEvents) {
  open();
  int woken = 0;
  const auto subscription = journal_->subscribe([&] { ++woken; });
  ASSERT_TRUE(append({violation("a")}));
  ASSERT_TRUE(append({violation("a")}));
  EXPECT_EQ(woken, 1);
  journal_->unsubscribe(subscription);
  ASSERT_TRUE(append({violation("b")}));
  EXPECT_EQ(woken, 1);
}

TEST_F(JournalTest, I4_ACorruptFileIsAProblemAndNothingIsAcknowledged) {
  std::ofstream(database()) << std::string(8192, 'x');
  open();
  const auto result = append({violation("a")});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnavailable);
  ASSERT_TRUE(writer_->problem());
  EXPECT_THAT(*writer_->problem(), HasSubstr("not a database"));
  EXPECT_EQ(std::filesystem::file_size(database()), 8192U)
      << "the damaged file is evidence: it stays as it is";
}

TEST_F(JournalTest, I4_AFullDiskIsAProblemUntilThereIsRoomAgain) {
  open();
  std::optional<Result<void>> limited;
  writer_->submit(
      [](Connection& connection) { return connection.execute("PRAGMA max_page_count=1"); },
      [&](Result<void> result) { limited = std::move(result); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return limited.has_value(); }));
  auto large = violation("large");
  large.body.set_reason(std::string(100'000, 'x'));
  const auto refused = append({large});
  ASSERT_FALSE(refused);
  ASSERT_TRUE(writer_->problem());
  EXPECT_THAT(*writer_->problem(), HasSubstr("full"));
  limited.reset();
  writer_->submit(
      [](Connection& connection) { return connection.execute("PRAGMA max_page_count=100000"); },
      [&](Result<void> result) { limited = std::move(result); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return limited.has_value(); }));
  EXPECT_TRUE(append({large}));
  EXPECT_FALSE(writer_->problem());
  EXPECT_THAT(ids(), ElementsAre("large"));
}

class JournalTrouble : public JournalTest {
 protected:
  Result<void> execute(const std::string& sql) {
    std::optional<Result<void>> answer;
    writer_->submit([sql](Connection& connection) { return connection.execute(sql); },
                    [&](Result<void> result) { answer = std::move(result); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return answer.has_value(); }));
    return answer.value_or(fail(Code::kDeadlineExceeded, "no answer"));
  }
  // A disk with room for `pages` more.
  void leave_room_for(int pages) {
    ASSERT_TRUE(execute(
        "CREATE TABLE IF NOT EXISTS filler (x BLOB); INSERT INTO filler VALUES (zeroblob(10))"));
    auto connection = Connection::open(database(), Access::kReadOnly);
    auto count = connection->prepare("PRAGMA page_count");
    ASSERT_TRUE(count && count->step());
    ASSERT_TRUE(execute("PRAGMA max_page_count=" + std::to_string(count->integer(0) + pages)));
  }
  JournalEntry large(const std::string& id) {
    auto entry = violation(id);
    entry.body.set_reason(std::string(400'000, 'x'));
    return entry;
  }
  // Everything that was acknowledged, as the next wardd finds it.
  void expect_after_a_kill(const std::vector<std::string>& expected) {
    const std::filesystem::path other = directory_.path() / "after";
    std::filesystem::create_directory(other);
    for (const char* suffix : {"", "-wal"}) {  // what a process that dies now leaves
      std::error_code none;
      std::filesystem::copy_file(database().string() + suffix,
                                 (other / "ward.db").string() + suffix, none);
    }
    auto connection = Connection::open(other / "ward.db", Access::kReadWrite);
    ASSERT_TRUE(connection) << connection.error().message;
    auto statement = connection->prepare("SELECT event_id FROM events ORDER BY sequence");
    ASSERT_TRUE(statement) << statement.error().message;
    std::vector<std::string> found;
    for (auto row = statement->step(); row && *row; row = statement->step())
      found.push_back(statement->text(0));
    EXPECT_EQ(found, expected);
    std::filesystem::remove_all(other);
  }
  // For what no handler of the loop tells.
  bool asked_again_until(const std::function<bool()>& reached) {
    const auto keep = asio::make_work_guard(loop_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!reached() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return reached();
  }
  bool repaired(std::size_t times = 1) {
    return test::run_until(loop_, [&] { return repairs_ >= times; });
  }
  void open_and_watch() {
    open();
    writer_->on_repair([&](const std::string&) { ++repairs_; });
  }
  std::size_t repairs_ = 0;
};

TEST_F(JournalTrouble, N06_AProblemStaysThoughSmallerWritesSucceedUntilThereIsRoom) {
  open();
  leave_room_for(20);
  ASSERT_FALSE(append({large("large")}));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(append({violation("small" + std::to_string(i))}));
    ASSERT_TRUE(writer_->problem()) << "the small write says nothing of the large one";
  }
  ASSERT_TRUE(execute("PRAGMA max_page_count=1000000"));
  EXPECT_TRUE(asked_again_until([&] { return !writer_->problem(); }))
      << "proven without anybody's asking";
  EXPECT_TRUE(append({large("large")}));
}

TEST_F(JournalTrouble, N06_AProblemOfOneKindIsNotEndedByASuccessOfAnother) {
  open();
  ASSERT_TRUE(execute("ALTER TABLE events RENAME TO elsewhere"));  // damage: no room repairs it
  ASSERT_FALSE(append({violation("a")}));
  ASSERT_TRUE(execute("CREATE TABLE another (x)"));
  EXPECT_TRUE(writer_->problem());
  ASSERT_TRUE(execute("ALTER TABLE elsewhere RENAME TO events"));
  ASSERT_TRUE(append({violation("a")}));
  EXPECT_FALSE(writer_->problem()) << *writer_->problem();
}

TEST_F(JournalTrouble, N06_WarddsOwnEventsWaitUntilTheyCanBeWritten) {
  open();
  ASSERT_TRUE(execute("ALTER TABLE events RENAME TO elsewhere"));
  journal_->note({EventKind::kProfileApplied, {}});
  ASSERT_TRUE(asked_again_until([&] { return journal_->problem().has_value(); }));
  ASSERT_TRUE(execute("ALTER TABLE elsewhere RENAME TO events"));
  journal_->write_again();
  EXPECT_TRUE(asked_again_until([&] { return ids().size() == 1; }));
  EXPECT_FALSE(journal_->problem());
}

TEST_F(JournalTrouble, N10_WhatWasAcknowledgedOutlivesALogThatIsRemoved) {
  open_and_watch();
  ASSERT_TRUE(append({violation("a"), violation("b")}));
  EXPECT_THAT(ids(), ElementsAre("a", "b"));  // a reader has the old log open
  std::filesystem::remove(database().string() + "-wal");
  ASSERT_TRUE(append({violation("c")}));
  expect_after_a_kill({"a", "b", "c"});
  ASSERT_TRUE(repaired());
  ASSERT_TRUE(append({violation("d")}));
  EXPECT_THAT(ids(), ElementsAre("a", "b", "c", "d"));
  expect_after_a_kill({"a", "b", "c", "d"});
  EXPECT_THAT(writer_->repairs(), ElementsAre(HasSubstr("-wal' was removed while wardd ran")));
  EXPECT_FALSE(writer_->problem());
}

TEST_F(JournalTrouble, N10_ABatchBehindWhichARepairIsNoticedIsCountedOnce) {
  open();
  std::optional<std::uint64_t> lost;
  writer_->on_repair([&](const std::string&) {
    journal_->count_lost([&](std::uint64_t count) { lost = count; });
  });
  ASSERT_TRUE(append({violation("a")}));
  std::vector<JournalEntry> ten;
  for (int i = 0; i < 10; ++i) ten.push_back(violation("e" + std::to_string(i)));
  std::optional<Result<void>> answer;
  journal_->append_made(
      [&](Connection&) -> Result<std::vector<JournalEntry>> {
        std::filesystem::remove(database().string() +
                                "-wal");  // looked at already: noticed behind the commit
        return ten;
      },
      [&](Result<void> result) { answer = std::move(result); });
  // Behind it, and perhaps committed before it is known here that there was a repair.
  journal_->append({violation("b")}, [](const Result<void>&) {});
  ASSERT_TRUE(test::run_until(loop_, [&] { return answer && lost; }));
  ASSERT_TRUE(*answer);
  ASSERT_TRUE(append({violation("c")}));
  EXPECT_EQ(*lost, 0U);
  EXPECT_EQ(journal_->counts().events, 13U);
  EXPECT_EQ(journal_->counts().told, 13U);
  close();
  open();
  EXPECT_EQ(journal_->counts().events, 13U);
}

TEST_F(JournalTrouble, N10_ARemovalIsNoticedWithoutAnyWrite) {
  open_and_watch();
  ASSERT_TRUE(append({violation("a")}));
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(database().string() + suffix);
  ASSERT_TRUE(repaired());
  expect_after_a_kill({"a"});
}

TEST_F(JournalTrouble, N10_WhatWasAcknowledgedOutlivesADatabaseThatIsRemovedOrReplaced) {
  open_and_watch();
  ASSERT_TRUE(append({violation("a")}));
  EXPECT_THAT(ids(), ElementsAre("a"));
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::remove(database().string() + suffix);
  ASSERT_TRUE(repaired());
  ASSERT_TRUE(append({violation("b")}));
  EXPECT_THAT(ids(), ElementsAre("a", "b"));
  expect_after_a_kill({"a", "b"});

  std::ofstream(directory_.path() / "other") << "another file";
  std::filesystem::rename(directory_.path() / "other", database());
  ASSERT_TRUE(append({violation("c")}));
  expect_after_a_kill({"a", "b", "c"});
  ASSERT_TRUE(repaired(2));
  bool kept = false;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    kept = kept || (entry.path().string().find("ward.db.found-") != std::string::npos &&
                    entry.file_size() == 12);
  }
  EXPECT_TRUE(kept) << "what somebody put there is somebody's";
}

TEST_F(JournalTrouble, N10_ALogThatIsEmptiedInPlaceLosesWhatItHeldAndItIsCounted) {
  open_and_watch();
  ASSERT_TRUE(append({violation("a"), violation("b")}));
  ASSERT_TRUE(execute("SELECT 1"));
  std::filesystem::resize_file(database().string() + "-wal", 0);
  (void)append({violation("c")});  // acknowledged or not: it is not said and then gone
  ASSERT_TRUE(repaired());
  ASSERT_TRUE(append({violation("c")}));
  EXPECT_THAT(ids(), ElementsAre("c"));
  EXPECT_THAT(
      writer_->repairs(),
      ElementsAre(HasSubstr(
          "-wal' was cut short while wardd ran; what was not in the database yet is lost")));
  EXPECT_FALSE(writer_->problem());
  expect_after_a_kill({"c"});
}

TEST_F(JournalTrouble, N10_WhatCannotBeSavedIsNotAcknowledgedAndSaid) {
  open_and_watch();
  ASSERT_TRUE(append({violation("a")}));
  std::filesystem::rename(directory_.path(), directory_.path().string() + ".away");
  std::ofstream(directory_.path()) << "a file where the directory was";
  const auto refused = append({violation("b")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  ASSERT_TRUE(writer_->problem());
  EXPECT_THAT(*writer_->problem(),
              HasSubstr("ward.db' was removed while wardd runs, and it cannot be saved"));
  std::filesystem::remove(directory_.path());
  std::filesystem::rename(directory_.path().string() + ".away", directory_.path());
  EXPECT_TRUE(asked_again_until([&] { return !writer_->problem(); })) << *writer_->problem();
  ASSERT_TRUE(append({violation("b")}));
  EXPECT_THAT(ids(), ElementsAre("a", "b"));
}

TEST_F(JournalTest, AFileOfANewerWarddIsLeftAlone) {
  open();
  std::optional<Result<void>> marked;
  writer_->submit(
      [](Connection& connection) {
        return connection.execute("COMMIT; PRAGMA user_version=99; BEGIN; SAVEPOINT job");
      },
      [&](Result<void> result) { marked = std::move(result); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return marked.has_value(); }));
  close();
  open();
  ASSERT_TRUE(writer_->problem());
  EXPECT_THAT(*writer_->problem(), HasSubstr("newer wardd"));
}

}  // namespace
}  // namespace ward::enforcer
