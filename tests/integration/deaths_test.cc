// SPDX-License-Identifier: Apache-2.0
// What comes without a notification: processes that the kernel ends with SIGSYS, and capabilities that enforce would
// have cut, used in mode supervise. In any process of a container, also while wardd is away.
#include <csignal>
#include <set>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Deaths : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    ASSERT_TRUE(await([] { return ward_json({"status"})["processes"] != ""; }));
    const std::string watch = ward_json({"status"})["processes"];
    if (watch != "ebpf") GTEST_SKIP() << "nothing is watched in the kernel: " << watch;
  }
  // As a 32-bit program would, or not at all on this kernel.
  static std::string foreign() {
    const Output tried = run_box(node().unique("off"), {"/box", "attack", "int80"});
    return tried.status == 0 ? "int80" : "x32";
  }
  static std::vector<Json> deaths(const std::string& id) {
    std::vector<Json> found;
    for (Json& event : events(id))
      if (event["syscall"] == "foreign-abi" || event["syscall"] == "sigsys") found.push_back(std::move(event));
    return found;
  }
  static Json await_death(const std::string& id) {
    std::vector<Json> found;
    await([&] { return !(found = deaths(id)).empty(); });
    EXPECT_FALSE(found.empty()) << "no death in `ward events` of " << id;
    return found.empty() ? Json::object() : found.front();
  }
};

TEST_F(Deaths, F07_AChildOfAnEnforcedShellThatCallsThroughAForeignAbiIsSeen) {
  const std::string id = node().unique("log"), attack = foreign();
  const Output output = run_box(id, {"/box", "child", attack});
  EXPECT_THAT(output.out, HasSubstr(attack + " ended by 31\n")) << output.err;
  const Json event = await_death(id);
  EXPECT_EQ(event["syscall"], "foreign-abi");
  EXPECT_EQ(event["outcome"], "killed");
  EXPECT_EQ(event["origin"], "workload");
  EXPECT_EQ(event["comm"], "box");
  EXPECT_GT(event["pid"], 0);
  EXPECT_THAT(event["reason"].get<std::string>(), HasSubstr(attack == "int80" ? "in i386 call 20" : "in x32 call 39"));
}

TEST_F(Deaths, F07_TheProfilesActionIsTakenForIt) {
  const std::string id = start_watched("quarantine"), attack = foreign();
  node().poke(id, attack);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; })) << node().task_status(id);
  EXPECT_EQ(await_death(id)["action"], "quarantine");
  node().remove(id);
}

TEST_F(Deaths, F07_InAnExecSessionItNeverCostsTheWorkloadItsLife) {
  const std::string id = start_watched("quarantine"), attack = foreign();
  const Output output = node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "child", attack});
  EXPECT_THAT(output.out, HasSubstr("ended by 31")) << output.err;
  EXPECT_EQ(await_death(id)["origin"], "exec");
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().remove(id);
}

TEST_F(Deaths, F07_TheFirstProcessIsToldOfOnce) {
  const std::string id = node().unique("deny");
  run_box(id, {"/box", "attack", foreign()});
  await_death(id);
  run_box(node().unique("deny"), {"/box", "true"});  // whatever wardd had to tell of the first has been told
  EXPECT_EQ(deaths(id).size(), 1U);
}

TEST_F(Deaths, F08_UnderSuperviseTheProcessDiesAndItIsSaid) {
  const std::string id = start_watched("supervise");
  node().poke(id, foreign());
  EXPECT_EQ(await_death(id)["mode"], "supervise");
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().remove(id);
}

TEST_F(Deaths, F07_WhatHappensWhileWarddIsAwayIsToldWhenItIsBack) {
  const std::string id = start_watched("quarantine"), attack = foreign();
  node().stop_wardd(SIGKILL);
  node().poke(id, attack);
  node().poke(id, "noop");
  EXPECT_EQ(node().task_status(id), "RUNNING") << "the reaction needs wardd, and docs say so";
  node().start_wardd();
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; })) << node().task_status(id);
  EXPECT_EQ(await_death(id)["action"], "quarantine");
  node().remove(id);
}

TEST_F(Deaths, F08_ACapabilityThatEnforceWouldCutIsReportedWhenUsed) {
  const std::string id = node().unique("supervise");
  const Output output = run_box(id, {"/box", "attack", "raw", "raw", "nice"}, {"--cap-add", "CAP_SYS_NICE"});
  EXPECT_EQ(output.out, "raw 3 0\nraw 4 0\nnice 0 0\n") << output.err;
  std::set<std::string> used;
  EXPECT_TRUE(await([&] {
    for (const Json& event : events(id)) used.insert(event["capability"].get<std::string>());
    return used.count("CAP_NET_RAW") == 1 && used.count("CAP_SYS_NICE") == 1;
  })) << testing::PrintToString(used);
  std::size_t told = 0;
  for (const Json& event : events(id)) {
    if (event["capability"] != "CAP_NET_RAW") continue;
    ++told;
    EXPECT_EQ(event["outcome"], "continued");
    EXPECT_THAT(event["reason"].get<std::string>(), HasSubstr("CAP_NET_RAW was used and is not in profile box"));
  }
  EXPECT_EQ(told, 1U) << "the first use is told, not each";
  EXPECT_EQ(used.count("CAP_CHOWN") + used.count("CAP_SETUID") + used.count("CAP_SYS_ADMIN"), 0U)
      << "what the profile has, and what only the runtime used, is nobody's concern";
}

TEST_F(Deaths, F08_UnderEnforceTheCapabilityIsNotThereAndNothingIsReported) {
  const std::string id = node().unique("log");
  const Output output = run_box(id, {"/box", "attack", "raw"});
  EXPECT_EQ(output.out, "raw -1 1\n") << output.err;
  for (const Json& event : events(id)) EXPECT_EQ(event["capability"], "");
}

}  // namespace
}  // namespace ward::test
