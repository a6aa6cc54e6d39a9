// SPDX-License-Identifier: Apache-2.0
// wardd's state directory in the hands of others: a second wardd, and files that are taken away
// while it runs.
#include <sys/mount.h>

#include <csignal>

#include "lib/base/file.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class WarddState : public GuardedTest {
 protected:
  void TearDown() override { node().stop_wardd(SIGTERM); }
  static std::string status_text() {
    const Output output = node().ward({"status"});
    EXPECT_TRUE(output.status == 0 || output.status == 6) << output.err;  // 6: with a problem
    return output.out;
  }
  static std::filesystem::path database(const char* suffix = "") {
    return node().state() / (std::string("ward.db") + suffix);
  }
  // A container's violation, acknowledged.
  static std::string violate() {
    const std::string id = node().unique("deny");
    run_box(id, {"/box", "attack", "mkdir"});
    await_violation(id);
    return id;
  }
  static Output start_second(const std::filesystem::path& run_directory) {
    return run({wardd_binary().string(), "--run-dir", run_directory.string()},
               node().environment());
  }
};

// Neither its lock file nor its database can be written; what is enforced is read only.
TEST_F(WarddState, N05_AWarddStartsOnAStateDirectoryThatTakesNothing) {
  node().stop_wardd(SIGTERM);
  std::filesystem::remove(node().state() / "wardd.lock");
  const std::string state = node().state();
  ASSERT_EQ(::mount(state.c_str(), state.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, state.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  node().start_wardd();
  EXPECT_TRUE(await([] { return status_text().find("problem") != std::string::npos; }))
      << status_text();
  const Output second = start_second(node().directory() / "other-run");
  EXPECT_EQ(second.status, 3) << "the directory itself is claimed: " << second.err;
  EXPECT_EQ(run_box(node().unique("deny"), {"/box", "attack", "mkdir"}).out, "mkdir -1 1\n");
  node().stop_wardd(SIGTERM);
  ASSERT_EQ(::umount2(state.c_str(), MNT_DETACH), 0);
  node().start_wardd();
  EXPECT_TRUE(await([] { return status_text().find("problem") == std::string::npos; }))
      << status_text();
}

TEST_F(WarddState, N10_AStateDirectoryHasOneWardd) {
  const auto other = node().directory() / "other-run";
  const auto expect_refused = [&] {
    const Output second = start_second(other);
    EXPECT_EQ(second.status, 3);
    EXPECT_THAT(second.err, HasSubstr("another wardd serves '" + node().state().string() + "'"));
    EXPECT_THAT(second.err, HasSubstr("process " + std::to_string(node().wardd_pid()) +
                                      ", run directory '" + (node().directory() / "run").string()));
  };
  expect_refused();
  // By another name, and with the file gone that says who has it.
  std::filesystem::create_directory_symlink(node().state(), node().directory() / "alias");
  std::filesystem::rename(node().state() / "wardd.lock", node().directory() / "taken-away");
  const Output second = run({wardd_binary().string(), "--run-dir", other.string(), "--state-dir",
                             (node().directory() / "alias").string()},
                            node().environment());
  EXPECT_NE(second.status, 0) << second.err;
  EXPECT_EQ(start_second(other).status, 3);
  std::filesystem::remove_all(other);
}

TEST_F(WarddState, N10_AStateDirectoryThatIsRemovedAltogetherIsClaimedAgain) {
  const auto lock = node().state() / "wardd.lock";
  const auto is_claimed = [&] { return read_file(lock).value_or("").find("process ") == 0; };
  ASSERT_TRUE(is_claimed());
  std::filesystem::rename(node().state(), node().directory() / "state-taken-away");
  EXPECT_TRUE(await(is_claimed)) << "no claim stands in the directory that was made anew";
  const auto other = node().directory() / "third-run";
  const Output second = start_second(other);
  EXPECT_EQ(second.status, 3);
  EXPECT_THAT(second.err, HasSubstr("another wardd serves '" + node().state().string() + "'"));
  std::filesystem::remove_all(other);
}

TEST_F(WarddState, N10_WhoseStateDirectoryAnotherHasClaimedEnds) {
  const pid_t first = node().wardd_pid();
  ASSERT_TRUE(signal_process(first, SIGSTOP));
  std::filesystem::rename(node().state(), node().directory() / "taken-over");
  const auto other = node().directory() / "fourth-run";
  auto quiet = node().environment();
  quiet.log = (node().directory() / "second-wardd.log").string();
  Child second({wardd_binary().string(), "--run-dir", other.string()}, quiet);
  EXPECT_TRUE(await([&] {
    return read_file(node().state() / "wardd.lock")
               .value_or("")
               .find("process " + std::to_string(second.pid())) == 0;
  }));
  ASSERT_EQ(::kill(first, SIGCONT), 0);
  EXPECT_EQ(node().await_end_of_wardd(), 3) << "two serve one state directory";
  second.signal(SIGTERM);
  EXPECT_EQ(second.wait(), 0);
  std::filesystem::remove_all(other);
  node().start_wardd();
}

TEST_F(WarddState, N10_EventsOutliveALogThatIsTakenAwayAndItIsSaid) {
  const std::string before = violate();
  std::filesystem::remove(database("-wal"));
  EXPECT_TRUE(
      await([] { return status_text().find("ward.db-wal' was removed") != std::string::npos; },
            std::chrono::seconds(10)))
      << status_text();
  EXPECT_THAT(
      status_text(),
      ContainsRegex("\nwarning +'[^\n]*ward.db-wal' was removed while wardd ran; all that was"));
  const std::string after = violate();
  node().stop_wardd(SIGKILL);
  node().start_wardd();
  EXPECT_EQ(events(before).size(), 1U);
  EXPECT_EQ(events(after).size(), 1U);
}

TEST_F(WarddState, N10_EventsOutliveADatabaseThatIsTakenAwayAltogether) {
  const std::string before = violate();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(database(suffix));
  EXPECT_TRUE(await([] { return status_text().find("ward.db' was removed") != std::string::npos; },
                    std::chrono::seconds(10)))
      << status_text();
  const std::string after = violate();
  node().stop_wardd(SIGKILL);
  node().start_wardd();
  EXPECT_EQ(events(before).size(), 1U);
  EXPECT_EQ(events(after).size(), 1U);
  const Output all = node().ward({"--output", "json", "events"});
  EXPECT_THAT(all.out, HasSubstr("database-repaired"));
}

// Else shims and people wait for a daemon that listens where nobody finds it.
TEST_F(WarddState, N02_SocketsThatAreRemovedAreMadeAgain) {
  const auto answers = [] { return await([] { return node().ward({"status"}).status == 0; }); };
  const auto run_directory = node().directory() / "run";
  for (const char* name : {"api/api.sock", "node.sock"})
    ASSERT_TRUE(std::filesystem::remove(run_directory / name));
  EXPECT_TRUE(await([&] { return std::filesystem::exists(run_directory / "node.sock"); }));
  EXPECT_TRUE(answers());
  EXPECT_EQ(events(violate()).size(), 1U);
  std::filesystem::rename(run_directory, node().directory() / "run-taken-away");
  EXPECT_TRUE(answers());
  EXPECT_EQ(events(violate()).size(), 1U);
}

}  // namespace
}  // namespace ward::test
