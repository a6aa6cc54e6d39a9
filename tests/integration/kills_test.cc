// SPDX-License-Identifier: Apache-2.0
// Kills of wardd and of shims in every state of a container: nothing that a container offered is
// missing in the books, nothing of it runs on without its shim, and nothing of it stays. What was
// offered is what the container itself counts (tests/workloads/offers.h). WARD_TEST_LONG=1: 30
// kills of wardd and 50 of shims.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/linux/process_info.h"
#include "tests/integration/guarded_test_base.h"
#include "tests/integration/remains.h"
#include "tests/integration/robustness_test_base.h"
#include "tests/workloads/offers.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;

enum class State { kCreated, kRunning, kPaused, kQuarantined, kViolating, kDeleting };
constexpr State kStates[] = {State::kCreated,     State::kRunning,   State::kPaused,
                             State::kQuarantined, State::kViolating, State::kDeleting};

std::string name_of(State state) {
  switch (state) {
    case State::kCreated: return "created";
    case State::kRunning: return "running";
    case State::kPaused: return "paused";
    case State::kQuarantined: return "quarantined";
    case State::kViolating: return "violating";
    case State::kDeleting: return "being deleted";
  }
  return {};
}

// What wardd does when a shim is killed.
enum class Wardd { kWorks, kStandsStill, kIsAway };
constexpr Wardd kWardds[] = {Wardd::kWorks, Wardd::kStandsStill, Wardd::kIsAway};
constexpr const char* kWarddNames[] = {"works", "stands still", "is away"};

constexpr std::uint64_t kEscalateAfter = 25;
constexpr std::uint64_t kOffers = 60;
constexpr std::uint64_t kForEver = UINT64_MAX;

constexpr char kKillsPolicy[] = R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: kills}
spec:
  rules:
    - {match: {containers: ["offer-*"]}, mode: enforce, profile: offer}
    - {match: {containers: ["cornered-*"]}, mode: enforce, profile: cornered}
)";

// The container's own count, in a file that it has mounted.
class Offers {
 public:
  explicit Offers(fs::path file) : file_(std::move(file)) {
    const UniqueFd fd(::open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    EXPECT_TRUE(fd && ::ftruncate(fd.get(), sizeof(offers)) == 0) << file_;
    void* const page =
        ::mmap(nullptr, sizeof(offers), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    EXPECT_NE(page, MAP_FAILED);
    page_ = static_cast<volatile offers*>(page);
  }
  ~Offers() {
    ::munmap(const_cast<offers*>(page_), sizeof(offers));
    fs::remove(file_);
  }
  Offers(const Offers&) = delete;
  Offers& operator=(const Offers&) = delete;

  [[nodiscard]] const fs::path& file() const { return file_; }
  [[nodiscard]] std::uint64_t denied() const { return page_->denied; }
  [[nodiscard]] std::uint64_t begun() const { return page_->begun; }
  [[nodiscard]] std::uint64_t unheard() const { return page_->unheard; }
  [[nodiscard]] std::uint64_t ran() const { return page_->ran; }
  void want(std::uint64_t calls) { page_->wanted = calls; }
  // The call under way has come back, and no other is made.
  bool settle() {
    want(0);
    return await([&] { return begun() == denied() + unheard() + ran(); });
  }

 private:
  fs::path file_;
  volatile offers* page_ = nullptr;
};

// Of one container: what has to be in the books, at least, and what may be there at most. They
// differ by the call that was under way when its container ended, and by one that a freeze made the
// kernel ask again.
struct Account {
  std::string id, when;
  std::uint64_t least = 0, most = 0;
};

struct Told {
  std::uint64_t journalled = 0, lost = 0;
};

class Kills : public GuardedTest {
 protected:
  void SetUp() override {
    if (!fault::kEnabled) GTEST_SKIP() << "this build has no fault points (WARD_FAULTS)";
    GuardedTest::SetUp();
    if (HasFatalFailure()) return;
    node().write_profile("offer", profile("offer", "deny}"));
    node().write_profile(
        "cornered", profile("cornered", "deny, escalate: {to: quarantine, within: 10m, after: " +
                                            std::to_string(kEscalateAfter) + "}}"));
    node().write_policy("kills", kKillsPolicy);
    EXPECT_EQ(node()
                  .ward({"profile", "apply", (node().config() / "profiles/offer.yaml").string()})
                  .status,
              0);
    await_calibration();
  }
  void TearDown() override { disarm(); }

  // The program `box`, which maps its page, and none of what it offers.
  static std::string profile(const std::string& name, const std::string& workload) {
    std::string text = box_profile();
    const auto replace = [&](const std::string& from, const std::string& to) {
      text.replace(text.find(from), from.size(), to);
    };
    replace("name: box", "name: " + name);
    replace("- mprotect", "- mmap\n      - mprotect");
    replace("{action: quarantine}", "{action: " + workload);
    return text;
  }

  static fs::path rules() { return node().directory() / "faults"; }
  static void disarm() {
    fs::remove(rules());
    fs::remove(rules().string() + ".fired");
  }
  static void arm(const std::string& rule) { std::ofstream(rules()) << rule << "\n"; }
  static bool fired() { return !read_file(rules().string() + ".fired").value_or("").empty(); }

  static bool has_ended(pid_t pid) {
    const auto stat = read_stat(pid);
    return !stat || stat->state == 'Z' || stat->state == 'X';
  }

  // One container on its way into one state, and what follows.
  class Round {
   public:
    // `number` also chooses the moment of a kill in the middle of violations.
    Round(State state, std::size_t number, std::string when)
        : state_(state),
          moment_((1 + number * 5 % 13) * kOffers),
          when_(std::move(when)),
          id_(node().unique(state == State::kQuarantined ? "cornered" : "offer")),
          offers_(node().directory() / ("offers-" + id_)) {}

    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] const std::string& when() const { return when_; }
    Offers& offers() { return offers_; }

    // Until the kill may come. Where the shim shall be killed in its delete, it kills itself.
    void enter(bool shim_dies) {
      if (state_ == State::kCreated) return create();
      const Output started = node().ctr(arguments());
      ASSERT_EQ(started.status, 0) << when_ << ": " << started.err;
      pid_ = node().task_pid(id_);
      switch (state_) {
        case State::kCreated: break;
        case State::kRunning: return offer(kOffers);
        case State::kPaused:
          offer(kForEver);
          EXPECT_EQ(node().ctr({"task", "pause", id_}).status, 0) << when_;
          break;
        case State::kQuarantined:
          offers_.want(kForEver);
          EXPECT_TRUE(await([&] { return node().task_status(id_) == "PAUSED"; })) << when_;
          EXPECT_EQ(offers_.denied(), kEscalateAfter - 1) << when_;
          break;
        case State::kViolating: return offer(kForEver);
        case State::kDeleting:
          offer(kOffers);
          EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", id_}).status, 0) << when_;
          EXPECT_TRUE(await([&] { return node().task_status(id_) == "STOPPED"; })) << when_;
          arm(shim_dies ? "delete.before-unmount=kill" : "delete.before-record=delay(400)*1");
          verb_ = std::make_unique<Child>(node().ctr_command({"task", "delete", id_}),
                                          node().environment());
          EXPECT_TRUE(await([] { return fired(); })) << when_ << ": nothing was deleted";
          break;
      }
    }

    // The shim is dead. Nothing of its container lives on.
    void expect_the_end() {
      EXPECT_TRUE(await([&] { return has_ended(pid_); }))
          << when_ << ": the container runs on without its shim";
      verb_.reset();  // a ctr that stands still or waits
      disarm();
      close();
    }
    // wardd was killed and is back. The container goes on where it was, and then ends.
    void expect_to_go_on() {
      if (state_ == State::kCreated) {
        verb_->signal(SIGCONT);
        EXPECT_EQ(verb_->wait().value_or(-1), 0) << when_ << ": " << verb_->err();
        pid_ = node().task_pid(id_);
        offer(kOffers);
      } else if (state_ == State::kPaused) {
        EXPECT_EQ(node().ctr({"task", "resume", id_}).status, 0) << when_;
        offer(offers_.begun() + kOffers);
      } else if (state_ == State::kViolating) {
        const std::uint64_t before = offers_.denied();
        EXPECT_TRUE(await([&] { return offers_.denied() > before + kOffers; }))
            << when_ << ": it is not answered";
      } else if (state_ == State::kDeleting) {
        EXPECT_TRUE(verb_->wait().has_value()) << when_ << ": the delete hangs";
      }
      if (state_ != State::kQuarantined) {
        EXPECT_TRUE(offers_.settle()) << when_;
        EXPECT_EQ(offers_.unheard(), 0U) << when_;
      }
      verb_.reset();
      disarm();
      close();
    }
    [[nodiscard]] Account account() const {
      const bool frozen = state_ == State::kPaused || state_ == State::kQuarantined;
      return {id_, when_, offers_.denied() + more_, offers_.begun() + more_ + (frozen ? 1 : 0)};
    }

   private:
    [[nodiscard]] std::vector<std::string> arguments() const {
      return run_arguments(
          id_,
          {"-d", "--mount",
           "type=bind,src=" + offers_.file().string() + ",dst=/offers,options=rbind:rw"},
          {"/box", "offer", "/offers"});
    }
    // A ctr that stands still between Create and Start.
    void create() {
      arm("create.before-reply=delay(400)*1");
      verb_ = std::make_unique<Child>(node().ctr_command(arguments()), node().environment());
      EXPECT_TRUE(await([] { return fired(); })) << when_ << ": nothing was created";
      verb_->signal(SIGSTOP);
      EXPECT_TRUE(await([&] { return node().task_status(id_) == "CREATED"; }))
          << when_ << node().task_status(id_);
      pid_ = node().task_pid(id_);
      disarm();
    }
    void offer(std::uint64_t calls) {
      offers_.want(calls);
      const std::uint64_t enough = calls == kForEver ? moment_ : calls;
      EXPECT_TRUE(await([&] { return offers_.denied() >= enough; }))
          << when_ << ": " << offers_.denied();
    }
    // Nothing stays, and a container of that id starts and is enforced as before.
    void close() {
      expect_nothing_is_left_of(node(), id_, when_);
      EXPECT_EQ(offers_.ran(), 0U) << when_ << ": a denied call was executed";
      const Output again = run_box(id_, {"/box", "attack", "novel"});
      EXPECT_EQ(again.out, "novel -1 1\n")
          << when_ << ": the second start of the id: " << again.err;
      more_ = 1;
      expect_nothing_is_left_of(node(), id_, when_ + ", second start");
    }

    State state_;
    std::uint64_t moment_;
    std::string when_, id_;
    Offers offers_;
    std::unique_ptr<Child> verb_;
    pid_t pid_ = -1;
    std::uint64_t more_ = 0;
  };

  // By container: records and what they stand for, and what was lost and counted.
  static std::map<std::string, Told> read_books() {
    std::map<std::string, Told> books;
    Output output;
    EXPECT_TRUE(await([&] {
      return (output = node().ward({"--output", "json", "events"})).status == 0;
    })) << output.err;
    std::istringstream lines(output.out);
    for (std::string line; std::getline(lines, line);) {
      const Json event = parse_json(line);
      if (!event.is_object()) continue;
      Told& told = books[event.value("container", "")];
      if (event["kind"] == "violation")
        told.journalled += 1 + event.value("repeats", std::uint64_t{0});
      told.lost += event.value("dropped_before", std::uint64_t{0});
    }
    return books;
  }

  // What wardd says of all containers.
  static Told read_totals() {
    const Json status = ward_json({"status"});
    return {status.value("violations", std::uint64_t{0}),
            status.value("dropped", std::uint64_t{0})};
  }

  // I4, once wardd is well: for every container, and for all of them in `ward status`.
  static void expect_the_books_to_balance(const std::string& what, const Told& before,
                                          const std::vector<Account>& accounts) {
    std::map<std::string, Told> books;
    const auto sum = [&](const Account& account) {
      return books[account.id].journalled + books[account.id].lost;
    };
    await([&] {
      books = read_books();
      return std::all_of(accounts.begin(), accounts.end(),
                         [&](const Account& account) { return sum(account) >= account.least; });
    });
    Account all{"all", what};
    Told told;
    for (const Account& account : accounts) {
      all.least += account.least;
      all.most += account.most;
      told.journalled += books[account.id].journalled;
      told.lost += books[account.id].lost;
      EXPECT_GE(sum(account), account.least)
          << account.id << ", " << account.when << ": violations are missing";
      EXPECT_LE(sum(account), account.most)
          << account.id << ", " << account.when << ": counted twice";
    }
    const Told totals = read_totals();
    EXPECT_EQ(totals.journalled - before.journalled, told.journalled)
        << "`ward status` against `ward events`";
    EXPECT_EQ(totals.lost - before.lost, told.lost) << "`ward status` against `ward events`";
    std::printf("result: %s: %lu violations offered, %lu in the journal, %lu counted as lost\n",
                what.c_str(), all.least, told.journalled, told.lost);
  }
};

TEST_F(Kills, I4_AcrossKillsOfWarddInEveryStateWhatWasOfferedIsJournalledOrCounted) {
  const std::size_t kills = long_forms() ? 30 : 6;
  const Told before = read_totals();
  std::vector<Account> accounts;
  for (std::size_t number = 0; number < kills; ++number) {
    const State state = kStates[number % std::size(kStates)];
    Round round(state, number,
                "kill " + std::to_string(number + 1) + " of wardd, container " + name_of(state));
    round.enter(false);
    node().stop_wardd(SIGKILL);
    node().start_wardd();
    round.expect_to_go_on();
    accounts.push_back(round.account());
    if (HasFatalFailure()) return;
  }
  expect_the_books_to_balance(std::to_string(kills) + " kills of wardd", before, accounts);
}

TEST_F(Kills,
       I3_I4_AcrossKillsOfShimsInEveryStateNothingRunsOnAndWhatWasOfferedIsJournalledOrCounted) {
  const std::size_t kills = long_forms() ? 50 : 12;
  const Told before = read_totals();
  std::vector<Account> accounts;
  for (std::size_t number = 0; number < kills; ++number) {
    const State state = kStates[number % std::size(kStates)];
    const Wardd wardd = kWardds[(number + number / std::size(kStates)) % std::size(kWardds)];
    const std::string when = "kill " + std::to_string(number + 1) + " of a shim, container " +
                             name_of(state) + ", while wardd " +
                             kWarddNames[static_cast<int>(wardd)];
    Round round(state, number, when);
    if (wardd == Wardd::kIsAway) node().stop_wardd(SIGKILL);
    if (wardd == Wardd::kStandsStill) signal_process(node().wardd_pid(), SIGSTOP);
    round.enter(true);
    if (state != State::kDeleting) {
      EXPECT_TRUE(signal_process(node().shim_pid(round.id()), SIGKILL)) << when;
    }
    if (wardd == Wardd::kStandsStill) signal_process(node().wardd_pid(), SIGCONT);
    if (wardd == Wardd::kIsAway) node().start_wardd();
    round.expect_the_end();
    accounts.push_back(round.account());
    if (HasFatalFailure()) return;
  }
  expect_the_books_to_balance(std::to_string(kills) + " kills of shims", before, accounts);
}

}  // namespace
}  // namespace ward::test
