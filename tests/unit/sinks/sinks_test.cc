// SPDX-License-Identifier: Apache-2.0
// Sinks over a real journal, with receivers that do what the test says.
#include "enforcer/sinks/sinks.h"

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "tests/unit/enforcer/journal/journal_test_base.h"

namespace ward::enforcer::sinks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Receiver {
  std::mutex mutex;
  std::vector<std::string> taken;
  std::atomic<bool> down = false, hangs = false;
  std::atomic<int> asked = 0;
  std::string refuses, chokes_on;
  std::atomic<bool> says_500 = false;

  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return taken;
  }
};

class ToReceiver final : public Outlet {
 public:
  explicit ToReceiver(std::shared_ptr<Receiver> to) : to_(std::move(to)) {}
  Delivery deliver(std::span<const Event> events, const StopSignal& stop) override {
    ++to_->asked;
    while (to_->hangs && !stop.asked()) std::this_thread::yield();
    if (to_->down || stop.asked()) return {0, "it is down"};
    const std::lock_guard lock(to_->mutex);
    Delivery out;
    for (const Event& event : events) {
      if (event.id == to_->refuses) return {out.taken, "not this one", Blame::kEvent};
      if (event.id == to_->chokes_on || to_->says_500)
        return {out.taken, "HTTP 500", Blame::kUnclear};
      to_->taken.push_back(event.id);
      ++out.taken;
    }
    return out;
  }

 private:
  std::shared_ptr<Receiver> to_;
};

class SinksTest : public JournalTest {
 protected:
  void SetUp() override { open(); }
  void TearDown() override { sinks_.reset(); }
  void begin() {
    sinks_.emplace(
        loop_, *journal_, *writer_, directory_.path() / "sinks",
        [](const node::v1::Violation&) { return Surroundings{}; },
        [this](const profiles::SinkSettings& settings) {
          return std::make_unique<ToReceiver>(receiver(settings.name));
        },
        Pace{std::chrono::milliseconds(1), std::chrono::milliseconds(5), 3, 2,
             std::chrono::milliseconds(20), std::chrono::milliseconds(0)});
  }
  void set(const std::vector<std::string>& names, profiles::SinkFilter filter = {}) {
    std::vector<profiles::SinkSettings> settings;
    for (const auto& name : names) {
      settings.push_back({});
      settings.back().name = name;
      settings.back().filter = filter;
    }
    sinks_->set(settings);
    for (const auto& name : names) {
      EXPECT_TRUE(test::run_until(loop_, [&] {
        return std::filesystem::exists(place_file(directory_.path() / "sinks", name));
      }));
    }
  }
  std::shared_ptr<Receiver> receiver(const std::string& name) {
    auto& found = receivers_[name];
    if (!found) found = std::make_shared<Receiver>();
    return found;
  }
  bool await(const std::string& name, std::size_t events) {
    return test::run_until(loop_, [&] { return receiver(name)->all().size() >= events; });
  }
  // Told on a thread, so no turn of the loop says it.
  bool await_asked(const std::string& name, int times) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (receiver(name)->asked < times && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.poll();
      std::this_thread::yield();
    }
    return receiver(name)->asked >= times;
  }
  void stop() {
    bool stopped = false;
    sinks_->stop([&] { stopped = true; });
    EXPECT_TRUE(test::run_until(loop_, [&] { return stopped; }));
    sinks_.reset();
  }
  SinkNumbers numbers() { return sinks_->numbers().at(0); }

  std::map<std::string, std::shared_ptr<Receiver>> receivers_;
  std::optional<Sinks> sinks_;
};

TEST_F(SinksTest, ANewSinkGetsWhatComesFromNowOnInOrder) {
  ASSERT_TRUE(append({violation("old")}));
  begin();
  set({"a"});
  ASSERT_TRUE(append({violation("1"), violation("2")}));
  ASSERT_TRUE(append({violation("3")}));
  ASSERT_TRUE(await("a", 3));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "2", "3"));
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().waiting == 0; }));
  EXPECT_EQ(numbers().sent, 3U);
}

TEST_F(SinksTest, AnOutageOfOneLosesNothingAndHoldsUpNobodyElse) {
  begin();
  set({"a", "b", "c"});
  receiver("a")->down = true;
  receiver("c")->hangs = true;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append({violation(std::to_string(i))}));
  ASSERT_TRUE(await("b", 100));
  ASSERT_TRUE(test::run_until(loop_, [&] { return !sinks_->problems().empty(); }));
  EXPECT_THAT(sinks_->problems().at(0), HasSubstr("sink a: it is down; 100 events wait"));
  receiver("a")->down = false;
  receiver("c")->hangs = false;
  ASSERT_TRUE(await("a", 100));
  ASSERT_TRUE(await("c", 100));
  EXPECT_EQ(receiver("a")->all(), receiver("b")->all());
  ASSERT_TRUE(test::run_until(loop_, [&] { return sinks_->problems().empty(); }));
}

TEST_F(SinksTest, TheNextWarddGoesOnWhereThePlaceIs) {
  begin();
  set({"a"});
  ASSERT_TRUE(append({violation("1")}));
  ASSERT_TRUE(await("a", 1));
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().sent == 1; }));
  stop();
  ASSERT_TRUE(append({violation("2")}));
  begin();
  set({"a"});
  ASSERT_TRUE(await("a", 2));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "2"));
}

TEST_F(SinksTest, APlaceThatIsDamagedCostsDuplicatesAndNoEvent) {
  begin();
  set({"a"});
  ASSERT_TRUE(append({violation("1")}));
  ASSERT_TRUE(await("a", 1));
  stop();
  std::ofstream(place_file(directory_.path() / "sinks", "a")) << "{\"sequence\":";
  ASSERT_TRUE(append({violation("2")}));
  begin();
  set({"a"});
  ASSERT_TRUE(await("a", 3));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "1", "2"));
}

TEST_F(SinksTest, WhatAReceiverRefusesForGoodIsCountedAndTheNextGoesOn) {
  begin();
  set({"a"});
  receiver("a")->refuses = "2";
  ASSERT_TRUE(append({violation("1"), violation("2"), violation("3")}));
  ASSERT_TRUE(await("a", 2));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "3"));
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().waiting == 0; }));
  EXPECT_EQ(numbers().refused, 1U);
  EXPECT_EQ(numbers().sent, 2U);
}

TEST_F(SinksTest, AnEventThatAReceiverChokesOnIsRefusedWhenTheNextOneIsTaken) {
  begin();
  set({"a"});
  receiver("a")->chokes_on = "2";
  ASSERT_TRUE(append({violation("1"), violation("2"), violation("3"), violation("4")}));
  ASSERT_TRUE(await("a", 3));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "3", "4"));
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().waiting == 0; }));
  EXPECT_EQ(numbers().refused, 1U);
  EXPECT_EQ(numbers().sent, 3U);
}

TEST_F(SinksTest, TheNextOneIsFoundAlsoWhereItComesLaterAndTheFilterLeavesOutMany) {
  begin();
  profiles::SinkFilter filter;
  filter.namespaces = {"other"};
  set({"a"}, filter);
  const auto wanted = [](const char* id) {
    JournalEntry entry = violation(id);
    entry.body.mutable_identity()->set_kubernetes_namespace("other");
    return entry;
  };
  receiver("a")->chokes_on = "1";
  ASSERT_TRUE(append({wanted("1")}));
  ASSERT_TRUE(await_asked("a", 5));
  std::vector<JournalEntry> many;
  for (int i = 0; i < 1000; ++i) many.push_back(violation("unwanted-" + std::to_string(i)));
  ASSERT_TRUE(append(many));
  ASSERT_TRUE(append({wanted("2")}));
  ASSERT_TRUE(await("a", 1));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("2"));
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().waiting == 0; }));
  EXPECT_EQ(numbers().refused, 1U);
}

TEST_F(SinksTest, AReceiverThatTakesNothingGetsAllWhenItCanAgain) {
  begin();
  set({"a"});
  receiver("a")->says_500 = true;
  ASSERT_TRUE(append({violation("1"), violation("2"), violation("3")}));
  ASSERT_TRUE(await_asked("a", 20));
  receiver("a")->says_500 = false;
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().waiting == 0; }));
  EXPECT_EQ(numbers().refused, 0U);
  EXPECT_THAT(receiver("a")->all(), testing::IsSupersetOf({"1", "2", "3"}));
}

TEST_F(SinksTest, WhatLeavesTheJournalIsCountedWhileTheReceiverIsAwayOrHangs) {
  begin();
  set({"away", "hangs"});
  receiver("away")->down = true;
  receiver("hangs")->hangs = true;
  ASSERT_TRUE(append({violation("first")}));
  ASSERT_TRUE(await_asked("hangs", 1));
  std::vector<JournalEntry> many;
  for (int i = 0; i < 300; ++i) many.push_back(violation(std::to_string(i)));
  ASSERT_TRUE(append(many));
  journal_->set_limits({100, JournalLimits{}.max_age_ns});
  journal_->expire();
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_->counts().expired > 0; }));
  sinks_->tend();
  const std::uint64_t expired = journal_->counts().expired;
  ASSERT_TRUE(test::run_until(loop_, [&] {
    const auto all = sinks_->numbers();
    return all.at(0).dropped == expired && all.at(1).dropped == expired - 1;  // it has the first
  }));
  EXPECT_EQ(sinks_->numbers().at(0).waiting, 301 - expired);
  receiver("away")->down = false;
  receiver("hangs")->hangs = false;
  ASSERT_TRUE(test::run_until(loop_, [&] {
    const auto all = sinks_->numbers();
    return all.at(0).waiting == 0 && all.at(1).waiting == 0;
  }));
  for (const SinkNumbers& each : sinks_->numbers())
    EXPECT_EQ(each.sent + each.dropped, 301U) << each.name;
}

TEST_F(SinksTest, CountersThatDifferForGoodHoldUpNothing) {
  begin();
  bool changed = false;
  writer_->submit(
      [](Connection& connection) {
        return connection.execute("INSERT OR REPLACE INTO counters VALUES ('expired', 5)");
      },
      [&](const Result<void>& done) { changed = done.has_value(); });
  ASSERT_TRUE(test::run_until(loop_, [&] { return changed; }));
  set({"a"});
  ASSERT_TRUE(append({violation("1")}));
  ASSERT_TRUE(await("a", 1));
}

TEST_F(SinksTest, AJournalThatWasBegunAnewIsKnownAlsoWhenItIsLonger) {
  begin();
  set({"a"});
  ASSERT_TRUE(append({violation("1"), violation("2")}));
  ASSERT_TRUE(await("a", 2));
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().sent == 2; }));
  stop();
  close();
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(database().string() + end);
  open();
  ASSERT_TRUE(append({violation("3"), violation("4"), violation("5")}));
  begin();
  set({"a"});
  ASSERT_TRUE(await("a", 5));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(SinksTest, ANewSinkGetsNothingBeforeItsPlaceIsKept) {
  begin();
  const auto places = directory_.path() / "sinks";
  std::filesystem::create_symlink(directory_.path() / "away", places);
  profiles::SinkSettings settings;
  settings.name = "a";
  sinks_->set({settings});
  ASSERT_TRUE(test::run_until(loop_, [&] { return !sinks_->problems().empty(); }));
  EXPECT_THAT(sinks_->problems().at(0), HasSubstr("its place is not kept"));
  ASSERT_TRUE(append({violation("1")}));
  sinks_->tend();
  EXPECT_EQ(receiver("a")->asked, 0);
  EXPECT_THAT(sinks_->problems(), testing::SizeIs(1));
  std::filesystem::create_directory(directory_.path() / "away");
  ASSERT_TRUE(test::run_until(loop_, [&] {
    sinks_->tend();
    return receiver("a")->all().size() == 1;
  }));
  ASSERT_TRUE(test::run_until(loop_, [&] { return sinks_->problems().empty(); }));
}

TEST_F(SinksTest, APlaceThatCannotBeReadNowIsReadLater) {
  begin();
  set({"a"});
  ASSERT_TRUE(append({violation("1")}));
  ASSERT_TRUE(await("a", 1));
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().sent == 1; }));
  stop();
  const auto file = place_file(directory_.path() / "sinks", "a");
  std::filesystem::rename(file, file.string() + ".aside");
  std::filesystem::create_symlink(file, file);  // a link to itself: no open succeeds
  ASSERT_TRUE(append({violation("2")}));
  begin();
  profiles::SinkSettings settings;
  settings.name = "a";
  sinks_->set({settings});
  ASSERT_THAT(sinks_->problems(), ElementsAre(HasSubstr("its place cannot be read")));
  sinks_->tend();
  std::filesystem::rename(file.string() + ".aside", file);
  sinks_->tend();
  ASSERT_TRUE(await("a", 2));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "2"));
  EXPECT_THAT(sinks_->problems(), IsEmpty());
}

TEST_F(SinksTest, WhatLeftTheJournalUnsentIsCountedAlsoWhereSequencesHaveHoles) {
  begin();
  set({"a"});
  receiver("a")->down = true;
  std::vector<JournalEntry> many;
  for (int i = 0; i < 300; ++i) many.push_back(violation(std::to_string(i)));
  ASSERT_TRUE(append(many));
  ASSERT_TRUE(append(many));  // again: each takes a number, and is no event
  journal_->set_limits({100, JournalLimits{}.max_age_ns});
  journal_->expire();
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_->counts().expired > 0; }));
  receiver("a")->down = false;
  sinks_->tend();
  ASSERT_TRUE(test::run_until(loop_, [&] { return numbers().waiting == 0; }));
  const std::size_t got = receiver("a")->all().size();
  EXPECT_EQ(numbers().dropped, 300 - got);
  EXPECT_GT(numbers().dropped, 0U);
  EXPECT_EQ(numbers().sent, got);
}

TEST_F(SinksTest, WhatAFilterLeavesOutIsNoMoreThanRead) {
  begin();
  profiles::SinkFilter filter;
  filter.namespaces = {"other"};
  set({"a"}, filter);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(append({violation(std::to_string(i))}));
  JournalEntry wanted = violation("wanted");
  wanted.body.mutable_identity()->set_kubernetes_namespace("other");
  ASSERT_TRUE(append({wanted}));
  ASSERT_TRUE(await("a", 1));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("wanted"));
}

TEST_F(SinksTest, SettingsThatChangeKeepThePlace) {
  begin();
  set({"a"});
  ASSERT_TRUE(append({violation("1")}));
  ASSERT_TRUE(await("a", 1));
  receiver("a")->hangs = true;
  ASSERT_TRUE(append({violation("2")}));
  ASSERT_TRUE(await_asked("a", 2));
  profiles::SinkSettings changed;
  changed.name = "a";
  changed.timeout = std::chrono::seconds(3);
  sinks_->set({});
  sinks_->set({changed});  // gone and back before its thread has ended
  receiver("a")->hangs = false;
  ASSERT_TRUE(await("a", 2));
  EXPECT_THAT(receiver("a")->all(), ElementsAre("1", "2"));
  stop();
}

TEST_F(SinksTest, AReceiverThatHangsDoesNotHoldUpTheEnd) {
  begin();
  set({"a"});
  receiver("a")->hangs = true;
  ASSERT_TRUE(append({violation("1")}));
  ASSERT_TRUE(await_asked("a", 1));
  stop();
  EXPECT_THAT(receiver("a")->all(), IsEmpty());
}

}  // namespace
}  // namespace ward::enforcer::sinks
