// SPDX-License-Identifier: Apache-2.0
// wardd and shims where the node has run out of something that the kernel counts: inotify
// instances, descriptors. WARD_TEST_LONG=1 asks for as many containers as once used up all inotify
// instances of a node.
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "lib/linux/unix_socket.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// Connections to wardd's socket for shims: each a descriptor there, as a shim's is.
class Crowd {
 public:
  Crowd(const std::filesystem::path& socket, int number) {
    for (int i = 0; i < number; ++i) {
      if (auto connected = connect_unix(socket)) sockets_.push_back(std::move(*connected));
    }
  }

 private:
  std::vector<UniqueFd> sockets_;
};

rlim_t limit_of(pid_t pid, rlim_t wanted) {
  rlimit before{};
  EXPECT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit limit{wanted, std::max(before.rlim_max, wanted)};
  EXPECT_EQ(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr), 0);
  return before.rlim_cur;
}

// CAP_SYS_RESOURCE, number 24.
bool may_raise_limits() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "CapEff:" && status >> word)
      return (std::stoull(word, nullptr, 16) >> 24U & 1U) != 0;
  }
  return false;
}

std::size_t open_descriptors_of(pid_t pid) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    ++count;
  }
  return count;
}

class WarddLimits : public GuardedTest {
 protected:
  void TearDown() override {
    for (const std::string& id : started_) node().remove(id);
    node().stop_wardd(SIGTERM);
  }
  std::string start(const std::string& prefix) {
    return started_.emplace_back(start_watched(prefix));
  }
  static std::string status_text() {
    const Output output = node().ward({"status"});
    EXPECT_TRUE(output.status == 0 || output.status == 6) << output.err;  // 6: with a problem
    return output.out;
  }
  static bool await_status(const std::string& part) {
    return await([&] { return status_text().find(part) != std::string::npos; },
                 std::chrono::seconds(20));
  }
  static int inotify_instances(pid_t pid) {
    int count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone) == "anon_inode:inotify") ++count;
    }
    return count;
  }
  // A limit of its own: a user namespace in which there are no inotify instances at all.
  static void start_wardd_without_inotify() {
    node().start_wardd({"unshare", "-Ur", "sh", "-c",
                        "echo 0 >/proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\""});
  }
  std::vector<std::string> started_;
};

TEST_F(WarddLimits, N01_AShimHoldsNoInotifyInstanceInAnyModeWithWarddAndWithout) {
  for (const char* prefix : {"off", "learn", "supervise", "deny", "quarantine"}) start(prefix);
  node().poke(started_.back(), "unshare");
  ASSERT_TRUE(await([&] { return node().task_status(started_.back()) == "PAUSED"; }));
  const auto expect_none = [&](const char* when) {
    for (const std::string& id : started_)
      EXPECT_EQ(inotify_instances(node().shim_pid(id)), 0) << id << ", " << when;
  };
  expect_none("wardd is there");
  node().stop_wardd(SIGKILL);
  node().poke(started_[3], "mkdir");  // there is something to tell
  expect_none("wardd is away");
  node().start_wardd();
  await_violation(started_[3]);
  expect_none("wardd is back");
}

TEST_F(WarddLimits, N01_WarddStartsWithoutInotifySeesItsShimsAndChangesAndSaysWhatToSet) {
  const std::string id = start("deny");
  ASSERT_TRUE(await([&] { return !row(id).is_null(); }));
  node().stop_wardd(SIGKILL);
  start_wardd_without_inotify();
  EXPECT_TRUE(await([&] { return !row(id).is_null(); }, std::chrono::seconds(5)))
      << "known shims are called";
  EXPECT_THAT(
      status_text(),
      ContainsRegex("\nwarning +changes of files are found by looking every 2 s only: "
                    "inotify_init1: Too many open files; .*max_user_instances = 0: set it to"));
  node().write_policy("late", "apiVersion: ward.dev/v1alpha1\nkind: Polcy\n");
  EXPECT_TRUE(await_status("late.yaml:2:7")) << status_text();
  std::filesystem::remove(node().config() / "policies" / "late.yaml");
  EXPECT_TRUE(await([&] { return status_text().find("late.yaml") == std::string::npos; }))
      << status_text();
}

TEST_F(WarddLimits, N01_MoreContainersThanInotifyInstancesAndAWarddThatIsKilledAndStarted) {
  if (std::getenv("WARD_TEST_LONG") == nullptr) GTEST_SKIP() << "140 containers: WARD_TEST_LONG=1";
  constexpr std::size_t kMany = 140;
  for (std::size_t i = 0; i < kMany; ++i) start("deny");
  const auto listed = [&] { return ward_json({"ps"})["containers"].size(); };
  ASSERT_TRUE(await([&] { return listed() >= kMany; })) << listed();
  node().stop_wardd(SIGKILL);
  node().start_wardd();
  EXPECT_TRUE(await([&] { return listed() >= kMany; }, std::chrono::seconds(15))) << listed();
  EXPECT_THAT(status_text(), Not(HasSubstr("inotify")));
}

TEST_F(WarddLimits, N09_AtItsLimitOfDescriptorsWarddSaysSoAndAnswersAndRecovers) {
  const std::string known = start("deny");
  ASSERT_TRUE(await([&] { return !row(known).is_null(); }));
  const pid_t wardd = node().wardd_pid();
  const rlim_t before = limit_of(wardd, open_descriptors_of(wardd) + 60);
  std::string late;
  {
    const Crowd crowd(node().directory() / "run/node.sock", 200);
    ASSERT_TRUE(await_status("is at its limit of")) << status_text();
    EXPECT_THAT(
        status_text(),
        ContainsRegex("\nproblem +wardd is at its limit of [0-9]+ file descriptors .*refused "
                      "[1-9][0-9]* times.*LimitNOFILE"));
    late = start("deny");  // I1: enforced, listed or not
    EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", late, "/box", "attack", "novel"}).out,
              "novel -1 1\n");
    EXPECT_FALSE(row(known).is_null());
    EXPECT_EQ(node().ward({"--output", "json", "events"}).status, 0);
  }
  EXPECT_TRUE(await([&] { return !row(late).is_null(); }, std::chrono::seconds(15)));
  limit_of(wardd, before);
  EXPECT_TRUE(await([&] { return status_text().find("at its limit") == std::string::npos; },
                    std::chrono::seconds(20)))
      << status_text();
  std::size_t said = 0;
  const std::string log = node().log_of("wardd");
  for (auto at = log.find("cannot accept"); at != std::string::npos;
       at = log.find("cannot accept", at + 1))
    ++said;
  EXPECT_LE(said, 1U) << log;
}

TEST_F(WarddLimits, N09_TheLimitIsRaisedAsFarAsItMayBe) {
  const auto limit = [] {
    rlimit found{};
    EXPECT_EQ(::prlimit(node().wardd_pid(), RLIMIT_NOFILE, nullptr, &found), 0);
    return found.rlim_cur;
  };
  node().stop_wardd(SIGTERM);
  node().start_wardd({"prlimit", "--nofile=100:200"});
  EXPECT_EQ(limit(), may_raise_limits() ? 65'536U : 200U);
  node().stop_wardd(SIGTERM);
  node().start_wardd({"prlimit", "--nofile=100:200", "setpriv", "--bounding-set", "-sys_resource",
                      "--inh-caps", "-all", "--"});
  EXPECT_EQ(limit(), 200U);
  EXPECT_THAT(status_text(), Not(HasSubstr("at its limit")));
}

}  // namespace
}  // namespace ward::test
