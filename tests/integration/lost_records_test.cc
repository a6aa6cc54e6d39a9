// SPDX-License-Identifier: Apache-2.0
// I4 on bad days: every violation that a container was answered is in the journal (with the repeats
// that a record tells of) or counted as lost, whoever was killed, stood still, or had no disk.
#include <sys/mount.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class Records : public GuardedTest {
 protected:
  struct Counts {
    std::uint64_t told = 0;
    std::uint64_t lost = 0;
    [[nodiscard]] std::uint64_t all() const { return told + lost; }
  };
  // Since the test began.
  Counts counts() const {
    const Counts now = read_counts();
    return {now.told - before_.told, now.lost - before_.lost};
  }
  void count_from_now() { before_ = read_counts(); }
  // What people are told: `ward events` line by line, and what `ward status` says is lost.
  static Counts read_counts() {
    Json status;
    await([&] {
      status = parse_json(node().ward({"--output", "json", "status"}).out);
      return status.is_object();
    });
    Counts counts{0, status.value("dropped", std::uint64_t{0})};
    std::istringstream lines(node().ward({"--output", "json", "events"}).out);
    for (std::string line; std::getline(lines, line);) {
      const Json event = parse_json(line);
      if (event.is_object() && event["kind"] == "violation")
        counts.told += 1 + event["repeats"].get<std::uint64_t>();
    }
    return counts;
  }
  // And stays so: nothing comes twice.
  void expect_counted(std::uint64_t offered) const {
    EXPECT_TRUE(await([&] { return counts().all() >= offered; }, seconds(20)));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(counts().all(), offered) << counts().told << " told, " << counts().lost << " lost";
    }
    const Json status = ward_json({"status"});
    EXPECT_EQ(status.value("violations", std::uint64_t{0}), read_counts().told)
        << "one number says it, too";
  }
  static void violate(const std::string& id, const std::string& session, int times) {
    const std::string number = std::to_string(times);
    const Output done =
        node().ctr({"task", "exec", "--exec-id", session, id, "/box", "flood", number});
    EXPECT_EQ(done.out, "flooded " + number + "\n") << done.err;
  }
  static void kill_shim_of(const std::string& id) {
    const pid_t pid = node().task_pid(id);
    signal_process(node().shim_pid(id), SIGKILL);
    EXPECT_TRUE(await([&] { return node().task_pid(id) != pid || ::kill(pid, 0) != 0; }));
  }
  static std::ptrdiff_t shims() {
    const auto all = node().processes();
    return std::count_if(all.begin(), all.end(), [](const std::string& process) {
      return process.find("containerd-shim-ward-v1") != std::string::npos;
    });
  }
  static std::vector<fs::path> files_in(const fs::path& directory) {
    std::vector<fs::path> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) out.push_back(entry.path());
    return out;
  }

 private:
  Counts before_;
};

TEST_F(Records, N08_I4_AShimKilledWhileWarddStandsStillLosesNothingUncounted) {
  count_from_now();
  const std::string id = start_watched("deny");
  signal_process(node().wardd_pid(), SIGSTOP);
  violate(id, "e1", 174);
  node().ctr({"task", "exec", "--exec-id", "e2", id, "/box", "attack", "mount", "bpf", "novel",
              "mkdir", "keyctl"});
  kill_shim_of(id);
  signal_process(node().wardd_pid(), SIGCONT);
  expect_counted(179);
  node().remove(id);
}

TEST_F(Records, N08_I4_AShimKilledBesideAHealthyWarddLosesNothingUncounted) {
  count_from_now();
  const std::string id = start_watched("deny");
  violate(id, "e1", 870);
  kill_shim_of(id);
  expect_counted(870);
  EXPECT_GE(counts().told, 1U);
  node().remove(id);
}

TEST_F(Records, N08_I4_AShimThatWarddNeverHeardOfIsCountedToo) {
  count_from_now();
  node().stop_wardd(SIGKILL);
  const std::string id = start_watched("deny");
  violate(id, "e1", 500);
  kill_shim_of(id);
  node().start_wardd();
  expect_counted(500);
  for (const int signal : {SIGKILL, SIGTERM}) {
    node().stop_wardd(signal);
    node().start_wardd();
    EXPECT_EQ(counts().all(), 500U) << "after signal " << signal;
  }
  node().remove(id);
}

// What waits on disk is at most a tenth of a second old (and then the details are there, too).
TEST_F(Records, N08_I4_DetailsAreOnDiskATenthOfASecondAfterTheViolation) {
  count_from_now();
  const std::string id = start_watched("deny");
  signal_process(node().wardd_pid(), SIGSTOP);
  node().ctr({"task", "exec", "--exec-id", "e2", id, "/box", "attack", "mount", "bpf", "novel",
              "mkdir", "keyctl"});
  EXPECT_TRUE(await(
      [] {
        const auto files = files_in(node().state() / "spool");
        return !files.empty() && fs::file_size(files.front()) > 5 * 100;
      },
      seconds(10)));
  kill_shim_of(id);
  signal_process(node().wardd_pid(), SIGCONT);
  expect_counted(5);
  EXPECT_EQ(counts().lost, 0U);
  EXPECT_EQ(events(id).size(), 5U);
  node().remove(id);
}

TEST_F(Records, N07_EventsOfShimsThatEndedWhileWarddStoodStillComeAtOnce) {
  // The end of a shim that wardd knows would make it look.
  ASSERT_TRUE(await([] { return ward_json({"status"})["shims"] == 0; }));
  signal_process(node().wardd_pid(), SIGSTOP);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(node().unique("deny"));
    run_box(ids.back(), {"/box", "attack", "mkdir"});
  }
  ASSERT_TRUE(await([] { return shims() == 0; })) << "and have ended";
  signal_process(node().wardd_pid(), SIGCONT);
  for (const std::string& id : ids) {
    EXPECT_TRUE(await([&] { return events(id).size() == 1; }, seconds(30)))
        << id;  // two minutes were the rule
  }
}

// Not even the end of a shim tells of it: wardd watches the directory.
TEST_F(Records, N07_ASpoolThatNobodyHoldsIsTakenAtOnceWhoeverLeftIt) {
  node().stop_wardd(SIGKILL);
  const std::string id = node().unique("deny");
  run_box(id, {"/box", "attack", "mkdir"});
  const auto files = files_in(node().state() / "spool");
  ASSERT_EQ(files.size(), 1U);
  const fs::path kept = node().directory() / "kept.spool";
  fs::copy_file(files[0], kept);
  fs::remove(files[0]);
  node().start_wardd();
  EXPECT_TRUE(events(id).empty());
  fs::copy_file(kept, files[0]);
  EXPECT_TRUE(await([&] { return events(id).size() == 1; }, seconds(30)));
}

TEST_F(Records, N05_I4_DetailsWaitInMemoryWhileTheSpoolCannotBeWritten) {
  count_from_now();
  const fs::path spool = node().state() / "spool";
  node().stop_wardd(SIGKILL);
  ASSERT_EQ(::mount(spool.c_str(), spool.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, spool.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const std::string id = start_watched("deny");
  const std::string ended = node().unique("deny");
  run_box(ended, {"/box", "attack", "mkdir", "novel"});
  node().ctr({"task", "exec", "--exec-id", "e2", id, "/box", "attack", "mount", "bpf", "novel",
              "mkdir", "keyctl"});
  EXPECT_TRUE(files_in(spool).empty());
  ASSERT_EQ(::umount2(spool.c_str(), MNT_DETACH), 0);
  node().start_wardd();
  expect_counted(7);
  EXPECT_EQ(events(id).size(), 5U) << "its shim lives";
  EXPECT_EQ(counts().lost, 2U) << "the other has gone, with its memory";
  EXPECT_EQ(events(ended, "violations-lost").size(), 1U);
  node().remove(id);
}

// 256 files are the share of one workload; another one still has room.
TEST_F(Records, H10_I4_AWorkloadInALoopFillsItsShareAndNoMore) {
  count_from_now();
  node().stop_wardd(SIGKILL);
  const fs::path spool = node().state() / "spool";
  run_box(node().unique("deny"), {"/box", "attack", "mkdir"});
  ASSERT_EQ(files_in(spool).size(), 1U);
  const std::string name = files_in(spool)[0].filename();
  const std::string prefix =
      name.substr(0, name.find('.', name.find('.') + 1) + 1);  // whose share it is
  for (int i = 1; i < 256; ++i)
    std::ofstream(spool / (prefix + "default-1-" + std::to_string(i) + ".spool"));
  for (int i = 0; i < 3; ++i) run_box(node().unique("deny"), {"/box", "attack", "mkdir", "novel"});
  EXPECT_EQ(files_in(spool).size(), 256U);
  run_box(node().unique("baseline"), {"/box", "attack", "unshare"});
  EXPECT_EQ(files_in(spool).size(), 257U) << "another workload";
  node().start_wardd();
  expect_counted(1 + 6 + 1);
  EXPECT_EQ(counts().lost, 6U);
  EXPECT_TRUE(await([&] { return files_in(spool).empty(); }));
}

// The state directory is a small file system of its own, which can be full.
class FullDisk : public Records {
 protected:
  static void SetUpTestSuite() {
    Records::SetUpTestSuite();
    if (node().wardd_pid() == -1) return;
    node().stop_wardd(SIGTERM);
    ASSERT_EQ(::mount("state", node().state().c_str(), "tmpfs", 0, "size=16m,mode=700"), 0);
    node().start_wardd();
  }
  static void TearDownTestSuite() {
    node().stop_wardd(SIGTERM);
    ::umount2(node().state().c_str(), MNT_DETACH);
    Records::TearDownTestSuite();
  }
  void TearDown() override { fs::remove(filler()); }
  static fs::path filler() { return node().state() / "filler"; }
  static void fill() {
    std::ofstream file(filler(), std::ios::app);
    while (file << std::string(4096, 'x') << std::flush) {
    }
    file.clear();
    while (file << 'x' << std::flush) {
    }
  }
};

TEST_F(FullDisk, N05_I4_AContainerThatEndsOnAFullDiskIsCountedAtOnceAndJournalledLater) {
  count_from_now();
  fill();
  const std::string id = node().unique("deny");
  run_box(id, {"/box", "flood", "174"});
  expect_counted(174);
  const auto then = counts();
  EXPECT_GT(then.lost, 0U) << "the disk was not full";
  fs::remove(filler());
  EXPECT_TRUE(await([&] { return events(id, "violations-lost").size() == 1; }, seconds(20)));
  EXPECT_EQ(counts().all(), 174U);
  node().stop_wardd(SIGKILL);
  node().start_wardd();
  EXPECT_EQ(counts().all(), 174U);
}

TEST_F(FullDisk, N05_I4_AContainerThatLivesLongerThanTheFullDiskKeepsItsDetails) {
  count_from_now();
  const std::string id = start_watched("deny");
  fill();
  node().ctr({"task", "exec", "--exec-id", "e2", id, "/box", "attack", "mount", "bpf", "novel",
              "mkdir", "keyctl"});
  fs::remove(filler());
  EXPECT_TRUE(await([&] { return events(id).size() == 5; }, seconds(20)));
  EXPECT_EQ(counts().lost, 0U);
  node().remove(id);
}

// Invented after the others: the shim is killed, on a full disk, beside a wardd that is killed as
// well.
TEST_F(FullDisk, N05_N08_I4_BothKilledOnAFullDisk) {
  count_from_now();
  const std::string id = start_watched("deny");
  fill();
  violate(id, "e1", 300);
  node().stop_wardd(SIGKILL);
  kill_shim_of(id);
  node().remove(id);
  fs::remove(filler());
  node().start_wardd();
  expect_counted(300);
}

}  // namespace
}  // namespace ward::test
