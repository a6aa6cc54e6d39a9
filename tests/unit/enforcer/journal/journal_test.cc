// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "lib/base/file.h"
#include "tests/unit/enforcer/journal/journal_test_base.h"

namespace ward::enforcer {
namespace {

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
