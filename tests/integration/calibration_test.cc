// SPDX-License-Identifier: Apache-2.0
// wardd measures the runtime with a container of its own when it first meets it. Whatever ends
// wardd in the middle of that, the next one finds and removes all that is left.
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <random>

#include "tests/integration/node_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

class CalibrationEnd : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(fs::exists(wardd_binary())) << "build everything first"; }
  void TearDown() override { node_.stop(); }

  // A wardd that has not met the runtime.
  void start_afresh() {
    for (const char* suffix : {"", "-wal", "-shm"})
      fs::remove(node_.state() / (std::string("ward.db") + suffix));
    node_.start_wardd();
  }
  [[nodiscard]] std::vector<fs::path> directories() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(node_.directory() / "run"))
      if (entry.path().filename().string().rfind("ward-calibration-", 0) == 0)
        found.push_back(entry.path());
    return found;
  }
  // runc, but for one verb, in which it never comes to an end.
  void use_runtime_that_stays_in(const std::string& verb) {
    const fs::path program = node_.directory() / ("runc-" + verb);
    fs::remove(mark_ = node_.directory() / "stays");
    std::ofstream(program) << "#!/bin/sh\nfor word in \"$@\"; do\n  if [ \"$word\" = " << verb
                           << " ]; then : > " << mark_
                           << "; exec tail -f /dev/null; fi\ndone\nexec runc \"$@\"\n";
    fs::permissions(program, fs::perms::owner_all);
    std::ofstream(node_.config() / "wardd.yaml")
        << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nruntime: {binary: " << program.string()
        << "}\n";
  }
  bool await_the_stay() {
    return await([&] { return fs::exists(mark_); }, std::chrono::seconds(10));
  }
  std::string status() { return node_.ward({"status"}).out; }
  // What is there of calibrations, apart from wardd itself.
  [[nodiscard]] std::vector<std::string> remains() const {
    std::vector<std::string> found = node_.leftovers(Daemons::kIgnore);
    for (const fs::path& directory : directories())
      found.push_back("directory " + directory.string());
    return found;
  }
  [[nodiscard]] bool has_process(const std::string& command) const {
    const auto all = node_.processes();
    return std::any_of(all.begin(), all.end(), [&](const std::string& process) {
      return process.find(" " + command + " ") != std::string::npos;
    });
  }
  // The next wardd has a database that knows nothing either: it clears up, measures again, and is
  // stopped in order.
  void expect_the_next_one_clears_up(const std::string& when) {
    node_.start_wardd();
    node_.stop_wardd(SIGTERM);
    EXPECT_TRUE(await([&] { return remains().empty(); }, std::chrono::seconds(5)));
    EXPECT_THAT(remains(), IsEmpty()) << when;
  }

  Node node_;
  fs::path mark_;
};

TEST_F(CalibrationEnd, AWarddThatIsKilledAtAnyMomentOfItLeavesNothingForTheNext) {
  std::minstd_rand random(7);
  int left = 0;
  for (int round = 0; round < 16; ++round) {
    start_afresh();
    // The moment is the test's own choice, there is nothing to wait for. Both measurements take
    // about a second.
    const int moment_ms = static_cast<int>(random() % 600);
    ::poll(nullptr, 0, moment_ms);
    node_.stop_wardd(SIGKILL);
    left += remains().empty() ? 0 : 1;
    expect_the_next_one_clears_up("killed after " + std::to_string(moment_ms) + " ms");
    if (HasFailure()) return;
  }
  if (left == 0)
    GTEST_SKIP() << "this machine does not calibrate: nothing was there to be cleared up";
}

TEST_F(CalibrationEnd, AContainerThatWasCreatedAndNeverStartedIsClearedUp) {
  use_runtime_that_stays_in("start");
  start_afresh();
  if (!await_the_stay()) GTEST_SKIP() << "this machine does not calibrate: " << status();
  EXPECT_TRUE(has_process("init")) << "it waits for somebody to open the other end of exec.fifo";
  node_.stop_wardd(SIGKILL);
  EXPECT_TRUE(has_process("init")) << "nothing in it can notice that wardd has gone";
  expect_the_next_one_clears_up("created");
}

TEST_F(CalibrationEnd, TheProgramEndsByItselfWhenWarddHasGone) {
  use_runtime_that_stays_in("exec");
  start_afresh();
  if (!await_the_stay()) GTEST_SKIP() << "this machine does not calibrate: " << status();
  EXPECT_TRUE(has_process("/program"));
  node_.stop_wardd(SIGKILL);
  EXPECT_TRUE(await([&] { return !has_process("/program"); }, std::chrono::seconds(5)));
  expect_the_next_one_clears_up("running");
}

TEST_F(CalibrationEnd, AWarddThatIsStoppedInOrderWaitsForNoRuntimeAndLeavesNothing) {
  for (const char* verb : {"create", "start", "exec"}) {
    use_runtime_that_stays_in(verb);
    start_afresh();
    if (!await_the_stay()) GTEST_SKIP() << "this machine does not calibrate: " << status();
    const auto begin = Clock::now();
    node_.stop_wardd(SIGTERM);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5)) << verb;
    EXPECT_TRUE(await([&] { return remains().empty(); }, std::chrono::seconds(5)));
    EXPECT_THAT(remains(), IsEmpty()) << verb;
  }
}

}  // namespace
}  // namespace ward::test
