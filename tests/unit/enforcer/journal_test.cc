// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "lib/base/clock.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

JournalEntry violation(const std::string& id, const std::string& container = "web") {
  JournalEntry entry{"violation", {}};
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

TEST_F(JournalTest, AnEventWithoutAnIdIsStillKeptOnce) {
  open();
  JournalEntry nameless = violation("");
  ASSERT_TRUE(append({nameless}));
  ASSERT_TRUE(append({nameless}));
  EXPECT_EQ(ids().size(), 1U);
}

TEST_F(JournalTest, ReadsByContainerAndFromTheNewest) {
  open();
  ASSERT_TRUE(append({violation("a", "web"), violation("b", "db"), violation("c", "web"), violation("d", "web")}));
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
  EXPECT_EQ(std::filesystem::file_size(database()), 8192U) << "the damaged file is evidence: it stays as it is";
}

TEST_F(JournalTest, I4_AFullDiskIsAProblemUntilThereIsRoomAgain) {
  open();
  std::optional<Result<void>> limited;
  writer_->submit([](Connection& connection) { return connection.execute("PRAGMA max_page_count=1"); },
                  [&](Result<void> result) { limited = std::move(result); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return limited.has_value(); }));
  auto large = violation("large");
  large.body.set_reason(std::string(100'000, 'x'));
  const auto refused = append({large});
  ASSERT_FALSE(refused);
  ASSERT_TRUE(writer_->problem());
  EXPECT_THAT(*writer_->problem(), HasSubstr("full"));
  limited.reset();
  writer_->submit([](Connection& connection) { return connection.execute("PRAGMA max_page_count=100000"); },
                  [&](Result<void> result) { limited = std::move(result); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return limited.has_value(); }));
  EXPECT_TRUE(append({large}));
  EXPECT_FALSE(writer_->problem());
  EXPECT_THAT(ids(), ElementsAre("large"));
}

TEST_F(JournalTest, AFileOfANewerWarddIsLeftAlone) {
  open();
  std::optional<Result<void>> marked;
  writer_->submit(
      [](Connection& connection) { return connection.execute("COMMIT; PRAGMA user_version=99; BEGIN; SAVEPOINT job"); },
      [&](Result<void> result) { marked = std::move(result); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return marked.has_value(); }));
  close();
  open();
  ASSERT_TRUE(writer_->problem());
  EXPECT_THAT(*writer_->problem(), HasSubstr("newer wardd"));
}

}  // namespace
}  // namespace ward::enforcer
