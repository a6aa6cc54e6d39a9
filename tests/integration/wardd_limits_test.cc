// SPDX-License-Identifier: Apache-2.0
// wardd and shims where the node has run out of something that the kernel counts: inotify instances, descriptors.
// WARD_TEST_LONG=1 asks for as many containers as once used up all inotify instances of a node.
#include <csignal>
#include <cstdlib>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class WarddLimits : public GuardedTest {
 protected:
  void TearDown() override {
    for (const std::string& id : started_) node().remove(id);
    node().stop_wardd(SIGTERM);
  }
  std::string start(const std::string& prefix) { return started_.emplace_back(start_watched(prefix)); }
  static std::string status_text() {
    const Output output = node().ward({"status"});
    EXPECT_EQ(output.status, 0) << output.err;
    return output.out;
  }
  static bool await_status(const std::string& part) {
    return await([&] { return status_text().find(part) != std::string::npos; }, std::chrono::seconds(20));
  }
  static int inotify_instances(pid_t pid) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(entry.path(), gone) == "anon_inode:inotify") ++count;
    }
    return count;
  }
  // A limit of its own: a user namespace in which there are no inotify instances at all.
  static void start_wardd_without_inotify() {
    node().start_wardd(
        {"unshare", "-Ur", "sh", "-c", "echo 0 >/proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\""});
  }
  std::vector<std::string> started_;
};

TEST_F(WarddLimits, N01_AShimHoldsNoInotifyInstanceInAnyModeWithWarddAndWithout) {
  for (const char* prefix : {"off", "learn", "supervise", "deny", "quarantine"}) start(prefix);
  node().poke(started_.back(), "unshare");
  ASSERT_TRUE(await([&] { return node().task_status(started_.back()) == "PAUSED"; }));
  const auto expect_none = [&](const char* when) {
    for (const std::string& id : started_) EXPECT_EQ(inotify_instances(node().shim_pid(id)), 0) << id << ", " << when;
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
  EXPECT_TRUE(await([&] { return !row(id).is_null(); }, std::chrono::seconds(5))) << "known shims are called";
  EXPECT_THAT(status_text(), ContainsRegex("\nwarning +changes of files are found by looking every 2 s only: "
                                           "inotify_init1: Too many open files; .*max_user_instances = 0: set it to"));
  node().write_policy("late", "apiVersion: ward.dev/v1alpha1\nkind: Polcy\n");
  EXPECT_TRUE(await_status("late.yaml:2:7")) << status_text();
  std::filesystem::remove(node().config() / "policies" / "late.yaml");
  EXPECT_TRUE(await([&] { return status_text().find("late.yaml") == std::string::npos; })) << status_text();
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

}  // namespace
}  // namespace ward::test
