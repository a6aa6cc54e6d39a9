// SPDX-License-Identifier: Apache-2.0
// How a quarantine begins by hand, and how each kind of end is told: once, with who or what ended
// it.
#include <csignal>

#include "lib/linux/cgroup.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class Quarantine : public GuardedTest {
 protected:
  static std::string start_quarantined() {
    const std::string id = start_watched("quarantine");
    node().poke(id, "unshare");
    EXPECT_TRUE(await([&] { return row(id)["state"] == "QUARANTINED"; })) << row(id);
    return id;
  }
  // The reason of the only event that tells of the end.
  static std::string end_of(const std::string& id) {
    std::vector<Json> killed;
    EXPECT_TRUE(await([&] { return !(killed = events(id, "killed")).empty(); }))
        << node().ward({"events", "-c", id}).out;
    if (killed.size() != 1) return std::to_string(killed.size()) + " events";
    EXPECT_EQ(events(id, "quarantined").size(), 1U);
    return killed.front()["reason"];
  }
};

TEST_F(Quarantine, AnEndThroughContainerdIsAnEventWithItsSignal) {
  for (const auto& [name, number] : {std::pair{"KILL", "9"}, std::pair{"TERM", "15"}}) {
    const std::string id = start_quarantined();
    ASSERT_EQ(node().ctr({"task", "kill", "-s", name, id}).status, 0);
    EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
    EXPECT_EQ(end_of(id), std::string("killed through containerd, by signal ") + number);
    node().remove(id);
  }
}

TEST_F(Quarantine, AnEndByAPersonIsToldOnceAsTheirs) {
  const std::string id = start_quarantined();
  ASSERT_EQ(node().ward({"quarantine", "kill", id, "--reason", "looked at it"}).status, 0);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  EXPECT_EQ(end_of(id), "looked at it");
  node().remove(id);
}

TEST_F(Quarantine, AnEndThatNobodyAskedForIsAnEvent) {
  const std::string id = start_quarantined();
  const pid_t pid = node().task_pid(id);
  auto cgroups = open_cgroups_of(pid);
  ASSERT_TRUE(cgroups.has_value()) << (cgroups ? "" : cgroups.error().message);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  // The freezer of version 1 holds SIGKILL back, until somebody thaws.
  if (cgroups->freezer) (void)cgroups->freezer->request_freeze(false);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  EXPECT_EQ(end_of(id),
            "it ended in quarantine, by signal 9, which neither containerd nor a person asked for");
  node().remove(id);
}

TEST_F(Quarantine, ADeathOutsideOfQuarantineIsNoEvent) {
  const std::string id = start_watched("quarantine");
  ASSERT_EQ(node().ctr({"task", "kill", "-s", "KILL", id}).status, 0);
  EXPECT_TRUE(await([&] { return row(id)["state"] == "STOPPED"; }));
  EXPECT_TRUE(events(id, "killed").empty());
  node().remove(id);
}

TEST_F(Quarantine, AnExecIsRefusedWithTheReason) {
  const std::string id = start_quarantined();
  const Output output = node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "true"});
  EXPECT_NE(output.status, 0);
  EXPECT_THAT(output.err, HasSubstr("quarantined: unshare is not in profile box"));
  EXPECT_THAT(output.err, HasSubstr("ward quarantine release " + id));
  node().remove(id);
}

TEST_F(Quarantine, APersonPutsAContainerIntoIt) {
  // Governed or not: an engineer in an incident does not write a policy first.
  for (const char* prefix : {"quarantine", "off"}) {
    const std::string id = start_watched(prefix);
    const Output added = node().ward({"quarantine", "add", id, "--reason", "odd traffic"});
    ASSERT_EQ(added.status, 0) << added.err;
    EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
    EXPECT_TRUE(await([&] { return row(id)["state"] == "QUARANTINED"; })) << row(id);
    EXPECT_THAT(row(id)["note"].get<std::string>(),
                HasSubstr("quarantined by request: odd traffic"));
    const Output again = node().ward({"quarantine", "add", id});
    EXPECT_NE(again.status, 0);
    EXPECT_THAT(again.err, HasSubstr("is quarantined already"));
    ASSERT_EQ(node().ward({"quarantine", "release", id}).status, 0);
    EXPECT_TRUE(await([&] { return node().task_status(id) == "RUNNING"; }));
    node().remove(id);
  }
}

TEST_F(Quarantine, WhatHasStoppedOrIsUnknownIsNotPutIntoIt) {
  const Output unknown = node().ward({"quarantine", "add", "nobody"});
  EXPECT_NE(unknown.status, 0);
  EXPECT_THAT(unknown.err, HasSubstr("no container 'nobody' runs under Ward"));
  const std::string id = start_watched("quarantine");
  ASSERT_EQ(node().ctr({"task", "kill", "-s", "KILL", id}).status, 0);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  EXPECT_TRUE(await([&] { return row(id)["state"] == "STOPPED"; }));
  const Output stopped = node().ward({"quarantine", "add", id});
  EXPECT_NE(stopped.status, 0);
  EXPECT_THAT(stopped.err, HasSubstr("has stopped already"));
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
