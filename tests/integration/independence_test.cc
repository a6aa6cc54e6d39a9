// SPDX-License-Identifier: Apache-2.0
// Enforcement while parts of Ward or of containerd are dead.
#include <csignal>
#include <fstream>

#include "lib/linux/cgroup.h"
#include "lib/linux/process_info.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

class Independence : public GuardedTest {
 protected:
  // Without its shim a container's process is init's to reap, and there are inits that take their
  // time.
  static bool has_ended(pid_t pid) {
    const auto stat = read_stat(pid);
    return !stat || stat->state == 'Z' || stat->state == 'X';
  }
  static bool leaves_private_directory(pid_t shim) {
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(node().directory() / "run/shims", error))
      if (entry.path().filename().string().rfind(std::to_string(shim) + ".", 0) == 0) return true;
    return false;
  }
};

TEST_F(Independence, I1_WithoutWarddARunningContainerStaysEnforced) {
  const std::string id = start_watched("quarantine");
  node().stop_wardd(SIGKILL);
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "attack", "novel"}).out,
            "novel -1 1\n");
  node().poke(id, "unshare");
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
  node().remove(id);
}

TEST_F(Independence, I1_WithoutWarddANewContainerStartsEnforced) {
  node().stop_wardd(SIGKILL);
  const Output output = run_box(node().unique("deny"), {"/box", "attack", "unshare", "novel"});
  EXPECT_EQ(output.out, "unshare -1 1\nnovel -1 1\n") << output.err;
}

TEST_F(Independence, I4_WhatHappenedWhileWarddWasAwayIsInTheJournalOnce) {
  node().stop_wardd(SIGKILL);
  const std::string stopped = node().unique("deny");  // its shim is gone before wardd is back
  run_box(stopped, {"/box", "attack", "mkdir"});
  const std::string running = start_watched("quarantine");
  node().poke(running, "unshare");
  ASSERT_TRUE(await([&] { return node().task_status(running) == "PAUSED"; }));
  node().start_wardd();
  for (const std::string& id : {stopped, running}) {
    await_violation(id);
    EXPECT_EQ(events(id).size(), 1U) << id;
  }
  for (const int signal : {SIGTERM, SIGKILL}) {
    node().stop_wardd(signal);
    node().start_wardd();
    EXPECT_EQ(events(stopped).size(), 1U) << "after signal " << signal;
    EXPECT_EQ(events(running).size(), 1U) << "after signal " << signal;
  }
  ASSERT_TRUE(await([&] { return row(running)["state"] == "QUARANTINED"; }))
      << "the shim registers again: " << row(running);
  node().remove(running);
}

TEST_F(Independence, I4_ATornRecordAtTheEndOfTheSpoolLosesOnlyItself) {
  node().stop_wardd(SIGKILL);
  const std::string id = node().unique("deny");
  run_box(id, {"/box", "attack", "mkdir"});
  const std::filesystem::path spool = node().state() / "spool";
  bool torn = false;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(spool)) {
    if (!entry.is_regular_file()) continue;
    std::ofstream(entry.path(), std::ios::app | std::ios::binary)
        << std::string("\xff\xff\x00\x00torn", 8);
    torn = true;
  }
  EXPECT_TRUE(torn) << "nothing was spooled below " << spool;
  node().start_wardd();
  await_violation(id);
  EXPECT_EQ(events(id).size(), 1U);
}

TEST_F(Independence, ContainerdsDeathChangesNothingForAnEnforcedContainer) {
  const std::string id = start_watched("quarantine");
  node().stop_containerd(SIGKILL);
  node().start_containerd();
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().poke(id, "unshare");
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
  node().stop_containerd(SIGKILL);
  node().start_containerd();
  EXPECT_EQ(node().task_status(id), "PAUSED");
  node().remove(id);
}

TEST_F(Independence, I3_TheDeathOfTheShimLetsNoDeniedCallThrough) {
  const std::string id = start_watched("quarantine");
  const pid_t pid = node().task_pid(id);
  node().poke(id, "unshare");
  ASSERT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
  const pid_t shim = node().shim_pid(id);
  signal_process(shim, SIGKILL);
  EXPECT_TRUE(await([&] { return has_ended(pid); }))
      << "containerd ends a container without a shim, frozen or not";
  EXPECT_TRUE(await([&] { return !leaves_private_directory(shim); }));
  node().remove(id);
  EXPECT_TRUE(await([&] { return cgroups_of(node().name()).empty(); }))
      << testing::PrintToString(cgroups_of(node().name()));
}

TEST_F(Independence, I6_AContainerThatIsFrozenTwiceEndsWithItsShim) {
  const std::string id = start_watched("quarantine");
  const pid_t pid = node().task_pid(id);
  EXPECT_EQ(node().ctr({"task", "pause", id}).status, 0);  // the runtime's freezer ...
  auto own = open_cgroups_of(pid);  // ... and where there are two, the other one as well
  ASSERT_TRUE(own);
  for (auto* cgroup : {&own->unified, &own->freezer})
    if (*cgroup) {
      EXPECT_TRUE((*cgroup)->request_freeze(true).has_value());
    }
  signal_process(node().shim_pid(id), SIGKILL);
  EXPECT_TRUE(await([&] { return has_ended(pid); }));
  node().remove(id);
  EXPECT_TRUE(await([&] { return cgroups_of(node().name()).empty(); }))
      << testing::PrintToString(cgroups_of(node().name()));
}

TEST_F(Independence, WarddComesBackToTheContainersThatRun) {
  const std::string id = start_watched("quarantine");
  node().stop_wardd(SIGKILL);
  node().start_wardd();
  EXPECT_TRUE(await([&] { return row(id)["state"] == "RUNNING"; })) << row(id);
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
