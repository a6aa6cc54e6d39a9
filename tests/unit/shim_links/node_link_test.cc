// SPDX-License-Identifier: Apache-2.0
#include "shim/links/node_link.h"

#include <fstream>
#include <memory>

#include "lib/base/file.h"
#include "lib/spool/room.h"
#include "lib/spool/spool.h"
#include "lib/spool/tally.h"
#include "shim/links/violation_count.h"
#include "shim/links/violation_outbox.h"
#include "tests/unit/shim_links/fake_wardd.h"

namespace ward::shim::links {
namespace {

using std::chrono::milliseconds;

node::v1::Violation violation(int number) {
  node::v1::Violation made;
  made.set_event_id("e" + std::to_string(number));
  made.set_syscall("unshare");
  return made;
}

node::v1::ContainerStatus container(const std::string& id, node::v1::ContainerState state) {
  node::v1::ContainerStatus status;
  status.mutable_identity()->set_containerd_namespace("ns");
  status.mutable_identity()->set_container_id(id);
  status.set_state(state);
  return status;
}

class Linked : public test::LoopTest {
 protected:
  void SetUp() override {
    LoopTest::SetUp();
    link_ = std::make_unique<NodeLink>(
        loop_, NodeLinkConfig{places_, "/shim.sock", "shim-1", [this] { return containers_; }});
    link_->start();
  }
  void TearDown() override {
    link_.reset();  // saves what is not acknowledged, so before the directory goes
    LoopTest::TearDown();
  }
  void start_wardd() {
    std::filesystem::create_directories(places_.run);
    wardd_.start();
  }
  bool connected() {
    return run_until([&] { return link_->connected(); });
  }
  void report(int from, int to) {
    for (int i = from; i < to; ++i) link_->violations().add(violation(i));
  }
  bool journal_has(int count) {
    return run_until([&] { return wardd_.journal.size() >= static_cast<std::size_t>(count); });
  }
  void expect_journal_in_order(int count) {
    ASSERT_EQ(wardd_.journal.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
      EXPECT_EQ(wardd_.journal[static_cast<std::size_t>(i)].event_id(), "e" + std::to_string(i));
  }
  // Its name begins with whose share of the directory it takes.
  [[nodiscard]] std::filesystem::path spool_file() const {
    return places_.spool() / (spool_prefix(spool_owner({}, "")) + "shim-1.spool");
  }
  [[nodiscard]] std::filesystem::path tally_file() const {
    return tallies_below(places_.run) / "shim-1.tally";
  }
  [[nodiscard]] std::uint64_t counted() const {
    const auto content = parse_tally(read_file(tally_file()).value_or(""));
    return content ? content->count : 0;
  }
  // As a supervisor does: counted first, then reported.
  void count_and_report(int from, int to) {
    for (int i = from; i < to; ++i) {
      link_->violations().count({}, "");
      link_->violations().add(violation(i));
    }
  }
  [[nodiscard]] std::size_t on_disk() const {
    const auto left = Spool::look(spool_file());
    std::size_t records = 0;
    for (std::uint64_t offset = 0; left;) {
      const auto batch = left->read(offset, 100, 1U << 20U);
      if (!batch) break;
      records += batch->records.size();
      offset = batch->next_offset;
      if (batch->at_end) break;
    }
    return records;
  }
  void crowd_tallies() {
    std::filesystem::create_directories(tallies_below(places_.run));
    for (std::size_t i = 0; i <= kManyTallies; ++i) {
      std::ofstream(tallies_below(places_.run) / ("x-" + std::to_string(i) + ".tally"));
    }
  }
  void let_disk_take_nothing() {
    std::filesystem::create_directories(places_.state);
    std::ofstream(places_.spool()) << "a file where the directory should be";
  }

  Places places_{directory_ / "etc", directory_ / "state", directory_ / "run"};
  FakeWardd wardd_{loop_, places_.node_socket()};
  std::vector<node::v1::ContainerStatus> containers_;
  std::unique_ptr<NodeLink> link_;
};

int count_inotify_instances() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone).string() == "anon_inode:inotify") ++count;
  }
  return count;
}

TEST_F(Linked, N01_FindsAWarddThatStartsLateWithoutAnInotifyInstance) {
  run_for(milliseconds(50));
  EXPECT_EQ(count_inotify_instances(), 0);
  containers_.push_back(container("c1", node::v1::CONTAINER_STATE_RUNNING));
  const auto before = std::chrono::steady_clock::now();
  start_wardd();
  ASSERT_TRUE(connected());
  EXPECT_LT(std::chrono::steady_clock::now() - before,
            std::chrono::seconds(5));  // the second look is after one
  ASSERT_EQ(wardd_.registrations.size(), 1U);
  EXPECT_EQ(wardd_.registrations[0].shim_address(), "/shim.sock");
  EXPECT_EQ(wardd_.registrations[0].containers(0).identity().container_id(), "c1");
}

// The looks are a second apart at first, and further apart later: what is told at once does not
// wait for one.
TEST_F(Linked, N01_AWarddThatCallsIsConnectedToAtOnce) {
  run_for(milliseconds(50));
  start_wardd();
  const auto before = std::chrono::steady_clock::now();
  link_->look_now();
  ASSERT_TRUE(connected());
  EXPECT_LT(std::chrono::steady_clock::now() - before, milliseconds(700));
}

TEST_F(Linked, N01_WhoHasSomethingToTellLooksForANewWarddAtOnce) {
  run_for(milliseconds(50));
  start_wardd();
  const auto before = std::chrono::steady_clock::now();
  report(0, 1);
  ASSERT_TRUE(journal_has(1));
  EXPECT_LT(std::chrono::steady_clock::now() - before, milliseconds(700));
}

TEST_F(Linked, IsNotBusyWhileWarddIsAway) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.die();
  ASSERT_TRUE(run_until([&] { return !link_->connected(); }));
  int handlers = 0;
  const auto until = std::chrono::steady_clock::now() + milliseconds(1000);
  while (std::chrono::steady_clock::now() < until) {
    loop_.restart();
    handlers += static_cast<int>(loop_.run_one_until(until));
  }
  EXPECT_LT(handlers, 60);
}

TEST_F(Linked, RegistersEverythingAgainAfterWarddCameBack) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.die();
  ASSERT_TRUE(run_until([&] { return !link_->connected(); }));
  containers_.push_back(container("c2", node::v1::CONTAINER_STATE_CREATED));
  link_->update(containers_.back());  // goes nowhere, and is not needed
  start_wardd();
  ASSERT_TRUE(connected());
  ASSERT_EQ(wardd_.registrations.size(), 2U);
  EXPECT_EQ(wardd_.registrations[1].containers_size(), 1);
  EXPECT_TRUE(wardd_.updates.empty());
}

TEST_F(Linked, FindsWarddAfterTheRunDirectoryWasReplaced) {
  run_for(milliseconds(20));
  std::filesystem::remove_all(places_.run);
  run_for(milliseconds(20));
  start_wardd();
  ASSERT_TRUE(connected());
}

TEST_F(Linked, UpdatesArriveInOrderAndOnlyTheNewestOfAContainerIsKept) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.silent = true;
  link_->update(container("c1", node::v1::CONTAINER_STATE_CREATED));
  ASSERT_TRUE(run_until([&] { return wardd_.updates.size() == 1; }));
  for (int i = 0; i < 1000; ++i) link_->update(container("c1", node::v1::CONTAINER_STATE_RUNNING));
  link_->update(container("c2", node::v1::CONTAINER_STATE_RUNNING));
  link_->update(container("c1", node::v1::CONTAINER_STATE_GONE));
  wardd_.silent = false;
  wardd_.kept.at(0).reply(node::v1::Ack());
  ASSERT_TRUE(run_until([&] { return wardd_.updates.size() == 3; }));
  EXPECT_EQ(wardd_.updates[1].identity().container_id(), "c1");
  EXPECT_EQ(wardd_.updates[1].state(), node::v1::CONTAINER_STATE_GONE);
  EXPECT_EQ(wardd_.updates[2].identity().container_id(), "c2");
}

TEST_F(Linked, I4_ViolationsReachTheJournalAndNoFileIsMadeWhileWarddAnswers) {
  start_wardd();
  ASSERT_TRUE(connected());
  report(0, 200);
  ASSERT_TRUE(journal_has(200));
  expect_journal_in_order(200);
  EXPECT_FALSE(std::filesystem::exists(places_.spool()));
}

TEST_F(Linked, I4_ViolationsWhileWarddIsAwayAreSpooledAndReplayedOnceInOrder) {
  report(0, 10);
  EXPECT_TRUE(std::filesystem::exists(spool_file()));
  start_wardd();
  ASSERT_TRUE(connected());
  report(10, 20);
  ASSERT_TRUE(journal_has(20));
  wardd_.die();
  report(20, 150);  // the link does not know yet
  ASSERT_TRUE(run_until([&] { return !link_->connected(); }));
  report(150, 300);
  start_wardd();
  ASSERT_TRUE(journal_has(300));
  expect_journal_in_order(300);
  EXPECT_TRUE(run_until([&] { return !std::filesystem::exists(spool_file()); }));
  EXPECT_EQ(link_->violations().dropped(), 0U);
}

TEST_F(Linked, N08_I4_ASilentWarddCostsATenthOfASecondOfMemoryAndThenTheDiskHasThem) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.silent = true;
  report(0, 5);
  EXPECT_FALSE(std::filesystem::exists(spool_file()));
  // Long before the report is given up (2 s), which is the first timer after it.
  ASSERT_TRUE(
      run_until([&] { return std::filesystem::exists(spool_file()); }, std::chrono::seconds(10)));
  EXPECT_TRUE(link_->connected());
  report(5, 10);
  wardd_.silent = false;
  ASSERT_TRUE(journal_has(10));
  expect_journal_in_order(10);
}

TEST_F(Linked, N08_I4_WhatIsOnDiskBeforeItsAnswerCameIsNotSentAgain) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.held = true;
  report(0, 5);
  ASSERT_TRUE(run_until([&] { return std::filesystem::exists(spool_file()); }));
  wardd_.held = false;
  wardd_.answer_held();
  EXPECT_TRUE(run_until([&] { return !std::filesystem::exists(spool_file()); }));
  expect_journal_in_order(5);
  EXPECT_EQ(wardd_.received, 5);
}

TEST_F(Linked, N08_I4_EveryViolationIsOnTheTallyBeforeItIsAnswered) {
  EXPECT_FALSE(std::filesystem::exists(tally_file())) << "made at the first violation";
  for (std::uint64_t i = 1; i <= 300; ++i) {
    link_->violations().count({}, "");
    ASSERT_EQ(counted(), i);
  }
}

TEST_F(Linked, N08_I4_AnOrderlyEndThatLostNothingLeavesNoTally) {
  count_and_report(0, 3);
  EXPECT_EQ(counted(), 3U);
  link_->stop();
  EXPECT_FALSE(std::filesystem::exists(tally_file())) << "the spool has them all";
}

TEST_F(Linked, N08_I4_TheTallyOfAShimWhoseViolationsTheJournalKnowsIsLeftToWardd) {
  start_wardd();
  ASSERT_TRUE(connected());
  count_and_report(0, 3);
  ASSERT_TRUE(journal_has(3));
  run_for(milliseconds(50));
  link_->stop();
  EXPECT_EQ(counted(), 3U);
  EXPECT_TRUE(Tally::take_over(tally_file())) << "nobody holds it";
}

TEST_F(Linked, I4_AFloodDuringASilenceIsBoundedInMemory) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.silent = true;
  report(0, 2000);
  EXPECT_TRUE(std::filesystem::exists(spool_file()));
  wardd_.silent = false;
  ASSERT_TRUE(journal_has(2000));
  expect_journal_in_order(2000);
}

TEST_F(Linked, I4_AJournalThatAcceptsNothingLosesNothing) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.full_disk = true;
  report(0, 5);
  ASSERT_TRUE(run_until([&] { return std::filesystem::exists(spool_file()); }));
  wardd_.full_disk = false;
  ASSERT_TRUE(journal_has(5));
  expect_journal_in_order(5);
}

TEST_F(Linked, I4_OneViolationThatIsRefusedDoesNotStopTheOthers) {
  wardd_.poison = "e1";
  wardd_.poison_refusals = 2;
  report(0, 4);
  start_wardd();
  ASSERT_TRUE(journal_has(4));
  EXPECT_EQ(wardd_.journal[0].event_id(), "e0");
  EXPECT_EQ(wardd_.journal[1].event_id(), "e2");
  EXPECT_EQ(wardd_.journal.back().event_id(), "e1");
}

TEST_F(Linked, N05_I4_WhatTheDiskDoesNotTakeStaysInMemoryUntilWarddTakesIt) {
  let_disk_take_nothing();
  count_and_report(0, 174);
  EXPECT_EQ(link_->violations().dropped(), 0U);
  start_wardd();
  ASSERT_TRUE(journal_has(174));
  expect_journal_in_order(174);
}

TEST_F(Linked, N05_I4_WhatNeitherDiskNorMemoryTakesIsCountedInTheNextRecord) {
  let_disk_take_nothing();
  for (int i = 0; i < 256; ++i) report(i, i + 1);
  auto folded = violation(256);
  folded.set_repeats(9);
  link_->violations().add(folded);
  report(257, 260);
  EXPECT_EQ(link_->violations().dropped(), 13U) << "with the repeats it told of";
  start_wardd();
  ASSERT_TRUE(journal_has(256));
  expect_journal_in_order(256);
  report(260, 261);
  ASSERT_TRUE(journal_has(257));
  EXPECT_EQ(wardd_.journal.back().dropped_before(), 13U);
}

TEST_F(Linked, N05_I4_ADiskThatTakesAgainGetsWhatWaitedInMemoryInOrder) {
  let_disk_take_nothing();
  report(0, 20);
  std::filesystem::remove(places_.spool());
  run_for(milliseconds(1100));  // the disk is not tried for every record
  report(20, 25);
  EXPECT_TRUE(std::filesystem::exists(spool_file()));
  start_wardd();
  ASSERT_TRUE(journal_has(25));
  expect_journal_in_order(25);
}

TEST_F(Linked, N05_I4_TheDiskIsTriedAgainWithoutAnotherViolation) {
  let_disk_take_nothing();
  report(0, 20);
  std::filesystem::remove(places_.spool());
  EXPECT_TRUE(
      run_until([&] { return std::filesystem::exists(spool_file()); }, std::chrono::seconds(10)));
  link_->stop();
  EXPECT_EQ(on_disk(), 20U);
}

// Both remain open in the shim, and take every write.
TEST_F(Linked, N02_I4_WhatIsSpooledIsOnDiskAgainWhenTheStateDirectoryWasRemoved) {
  count_and_report(0, 50);
  std::filesystem::remove_all(places_.state);
  std::filesystem::create_directories(places_.state);
  count_and_report(50, 200);
  EXPECT_EQ(link_->violations().dropped(), 0U);
  link_->stop();
  EXPECT_EQ(on_disk(), 200U);
}

TEST_F(Linked, N02_I4_WhatIsSpooledIsOnDiskAgainWhenTheStateDirectoryWasMovedAway) {
  count_and_report(0, 50);
  std::filesystem::rename(places_.state, directory_ / "elsewhere");
  count_and_report(50, 51);
  link_->stop();
  EXPECT_EQ(on_disk(), 51U);
}

TEST_F(Linked, N02_I4_AnEndAfterTheStateDirectoryWasRemovedSavesWhatIsSpooled) {
  count_and_report(0, 50);
  std::filesystem::remove_all(places_.state);
  link_->stop();
  EXPECT_EQ(on_disk(), 50U);
}

TEST_F(Linked, N02_I4_WhatIsSpooledInNoDirectoryAndFindsNoOtherIsCounted) {
  count_and_report(0, 50);
  std::filesystem::remove_all(places_.state);
  std::ofstream(places_.state) << "no directory";
  count_and_report(50, 60);
  link_->stop();
  EXPECT_EQ(counted(), 60U);
  EXPECT_TRUE(Tally::take_over(tally_file()));
}

TEST_F(Linked, N02_I4_WhatIsSpooledInNoDirectoryStillReachesTheJournal) {
  count_and_report(0, 300);
  std::filesystem::remove_all(places_.state);
  start_wardd();
  wardd_.held = true;
  ASSERT_TRUE(journal_has(64)) << "of which no answer came yet";
  count_and_report(300, 310);
  wardd_.held = false;
  wardd_.answer_held();
  ASSERT_TRUE(journal_has(310));
  expect_journal_in_order(310);
  EXPECT_EQ(wardd_.received, 310) << "each was sent once";
  EXPECT_TRUE(run_until([&] { return !std::filesystem::exists(spool_file()); }));
}

TEST_F(Linked, N02_I4_TheCountIsOnDiskAgainWhenItsDirectoryWasRemoved) {
  let_disk_take_nothing();
  count_and_report(0, 50);
  std::filesystem::remove_all(tallies_below(places_.run));
  count_and_report(50, 53);
  EXPECT_EQ(counted(), 53U);
  std::filesystem::remove_all(tallies_below(places_.run));
  link_->stop();
  EXPECT_EQ(counted(), 53U);
}

// The journal may have what no answer came for: wardd, which knows, closes the account.
TEST_F(Linked, I4_WhatIsOnItsWayAtTheEndIsNotAddedToTheLost) {
  let_disk_take_nothing();
  crowd_tallies();
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.held = true;
  count_and_report(0, 2);
  ASSERT_TRUE(journal_has(1));
  link_->stop();
  EXPECT_EQ(counted(), 2U);
  for (const auto& entry : std::filesystem::directory_iterator(tallies_below(places_.run))) {
    EXPECT_NE(entry.path().extension(), kLostSuffix);
  }
}

TEST_F(Linked, H10_I4_ALargeRecordDoesNotStopThoseBehindIt) {
  auto large = violation(0);
  large.set_reason(std::string(100U << 10U, 'x'));
  link_->violations().add(large);
  auto too_large = violation(1);
  too_large.set_reason(std::string(kMaxSpoolRecordBytes, 'x'));
  link_->violations().add(too_large);
  link_->violations().add(violation(2));
  link_->stop();
  EXPECT_EQ(on_disk(), 3U);
}

TEST_F(Linked, N05_I4_AnEndWithRecordsThatNothingTookLeavesTheirNumber) {
  let_disk_take_nothing();
  count_and_report(0, 174);
  link_->violations().count({}, "");  // seen, and ended before its record was made
  link_->stop();
  EXPECT_EQ(counted(), 175U);
  EXPECT_TRUE(Tally::take_over(tally_file()));
}

// A workload has filled its share: what follows of it stays out, what others spool does not.
TEST_F(Linked, H10_I4_AShareThatIsUsedUpIsCountedAndOthersStillSpool) {
  std::filesystem::create_directories(places_.spool());
  const auto full = places_.spool() / (spool_prefix(spool_owner({}, "")) + "other-2.spool");
  { std::ofstream file(full); }
  std::filesystem::resize_file(full, SpoolLimits{}.max_bytes / kSpoolShareOfOwner);
  count_and_report(0, 5);
  EXPECT_FALSE(std::filesystem::exists(spool_file()));
  NodeLink neighbour(loop_, NodeLinkConfig{places_, "/other.sock", "shim-2", [] {
                                             return std::vector<node::v1::ContainerStatus>();
                                           }});
  auto theirs = violation(7);
  theirs.set_profile_name("another workload");
  neighbour.violations().add(theirs);
  EXPECT_TRUE(std::filesystem::exists(
      places_.spool() / (spool_prefix(spool_owner({}, "another workload")) + "shim-2.spool")));
  link_->stop();
  EXPECT_EQ(counted(), 5U) << "for wardd to find";
}

// Each of them leaves a number; from some number of files on it is one for all.
TEST_F(Linked, H10_I4_WhatAWorkloadLosesInALoopIsAddedUp) {
  let_disk_take_nothing();
  crowd_tallies();
  const std::size_t before = count_tallies(tallies_below(places_.run));
  for (int i = 0; i < 10; ++i) {
    NodeLink shim(loop_, NodeLinkConfig{places_, "/x.sock", "loop-" + std::to_string(i),
                                        [] { return std::vector<node::v1::ContainerStatus>(); }});
    for (int n = 0; n < 3; ++n) {
      shim.violations().count({}, "");
      shim.violations().add(violation(n));
    }
  }
  EXPECT_EQ(count_tallies(tallies_below(places_.run)), before + 1);
  std::uint64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tallies_below(places_.run))) {
    if (entry.path().extension() == kLostSuffix)
      sum += Tally::take_over(entry.path()).value().content().count;
  }
  EXPECT_EQ(sum, 30U);
}

TEST_F(Linked, I4_AnOrderlyEndLeavesUndeliveredViolationsOnDisk) {
  start_wardd();
  ASSERT_TRUE(connected());
  wardd_.silent = true;
  report(0, 3);
  run_for(milliseconds(20));
  link_->stop();
  link_->violations().add(violation(3));
  link_.reset();
  const auto left = Spool::take_over(spool_file());
  ASSERT_TRUE(left) << left.error().message;
  EXPECT_EQ(left->read(0, 100, 1U << 20U)->records.size(), 4U);
}

TEST_F(Linked, I7_AHostileStringDoesNotLoseTheViolation) {
  auto hostile = violation(0);
  hostile.set_comm("\xff\xfe");
  hostile.add_args_text("\x80");
  link_->violations().add(hostile);
  start_wardd();
  ASSERT_TRUE(journal_has(1));
  EXPECT_EQ(wardd_.journal[0].comm(), "\\xff\\xfe");
}

TEST_F(Linked, BeginRecordingIsBounded) {
  const auto begin = [&](milliseconds timeout) {
    std::optional<Result<node::v1::BeginRecordingResponse>> result;
    EXPECT_EQ(link_->begin_recording({}, timeout, [&](auto answer) { result = std::move(answer); }),
              link_->connected());
    EXPECT_FALSE(result);
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    return std::move(*result);
  };
  EXPECT_EQ(begin(milliseconds(300)).error().code, Code::kUnavailable);
  start_wardd();
  ASSERT_TRUE(connected());
  EXPECT_TRUE(begin(milliseconds(10'000))->recording());
  wardd_.silent = true;
  EXPECT_EQ(begin(milliseconds(50)).error().code, Code::kDeadlineExceeded);
}

TEST_F(Linked, TheEndOfARecordingWaitsForWardd) {
  for (const char* run : {"r1", "r2"}) {
    node::v1::EndRecordingRequest request;
    request.set_run_id(run);
    link_->end_recording(request);
  }
  start_wardd();
  ASSERT_TRUE(run_until([&] { return wardd_.ended.size() == 2; }));
  EXPECT_EQ(wardd_.ended, (std::vector<std::string>{"r1", "r2"}));
}

TEST_F(Linked, TheLoopRunsDryAfterStop) {
  start_wardd();
  ASSERT_TRUE(connected());
  link_->update(container("c1", node::v1::CONTAINER_STATE_RUNNING));
  wardd_.die();
  link_->stop();
  link_.reset();
  loop_.restart();
  const auto before = std::chrono::steady_clock::now();
  loop_.run_for(std::chrono::seconds(10));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

}  // namespace
}  // namespace ward::shim::links
