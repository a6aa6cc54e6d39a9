// SPDX-License-Identifier: Apache-2.0
// Full disks, and files that are removed, replaced or emptied under wardd (N06, N10).
#include <chrono>
#include <fstream>

#include "tests/unit/enforcer/journal/journal_test_base.h"

namespace ward::enforcer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

}  // namespace
}  // namespace ward::enforcer
