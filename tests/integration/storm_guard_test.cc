// SPDX-License-Identifier: Apache-2.0
// A policy's storm guard: a bad profile costs a few pods, and not all of them; an attacker in one
// place changes nothing.
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class StormGuard : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    if (std::filesystem::exists(node().config() / "policies" / "a-storm.yaml")) return;
    const auto before = ward_json({"status"})["index_generation"];
    node().write_policy("a-storm", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: storm}
spec:
  rules:
    - match: {containers: ["fleet-*"]}
      mode: enforce
      profile: box
      workload: fleet
      stormGuard: {after: 3, within: 45s, pods: 3, then: deny}
    - match: {containers: ["alone-*"]}
      mode: enforce
      profile: box
      workload: "{container}"
      stormGuard: {after: 2, within: 60s, pods: 2, then: deny}
)");
    ASSERT_TRUE(await([&] { return ward_json({"status"})["index_generation"] != before; }));
  }
  static std::string state(const std::string& id) {
    const Json found = row(id);
    return found.is_null() ? "" : found["state"].get<std::string>();
  }
  static std::vector<Json> guards() {
    std::vector<Json> found;
    std::istringstream lines(node().ward({"--output", "json", "events"}).out);
    for (std::string line; std::getline(lines, line);)
      if (Json event = parse_json(line); event.is_object() && event["kind"] == "storm-guard")
        found.push_back(std::move(event));
    return found;
  }
};

TEST_F(StormGuard, AWorkloadThatIsStoppedEverywhereIsDeniedInstead) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(start_watched("fleet"));
  for (int i = 0; i < 3; ++i) {
    node().poke(ids.at(i), "novel");
    EXPECT_TRUE(await([&] { return state(ids.at(i)) == "QUARANTINED"; })) << i;
  }
  ASSERT_TRUE(await([&] { return guards().size() == 1; }));
  EXPECT_EQ(guards().front()["outcome"], "began");
  EXPECT_THAT(guards().front()["reason"].get<std::string>(), HasSubstr("workload fleet"));
  EXPECT_THAT(ward_json({"status"})["problems"].dump(),
              HasSubstr("a storm guard is in force for workload fleet"));

  // One that runs already: its shim is told.
  EXPECT_TRUE(await([&] {
    node().poke(ids.at(3), "novel");
    const auto seen = events(ids.at(3));
    return !seen.empty() || state(ids.at(3)) == "QUARANTINED";
  }));
  const Json spared = await_violation(ids.at(3));
  EXPECT_EQ(spared["action"], "deny");
  EXPECT_EQ(spared["calmed"], true);
  EXPECT_THAT(spared["reason"].get<std::string>(), HasSubstr("storm guard"));
  EXPECT_EQ(state(ids.at(3)), "RUNNING");

  // One that starts: the index says so.
  const std::string next = start_watched("fleet");
  node().poke(next, "novel");
  EXPECT_EQ(await_violation(next)["calmed"], true);
  EXPECT_EQ(state(next), "RUNNING");

  // The danger set is acted upon as ever.
  node().poke(ids.at(4), "unshare");
  EXPECT_TRUE(await([&] { return state(ids.at(4)) == "QUARANTINED"; }));
  EXPECT_EQ(await_violation(ids.at(4))["calmed"], false);

  // Over, when nothing of the kind has happened for as long.
  EXPECT_TRUE(await([&] { return guards().size() == 2; }, std::chrono::seconds(150)));
  EXPECT_EQ(guards().back()["outcome"], "ended");
  node().poke(next, "novel");
  EXPECT_TRUE(await([&] { return state(next) == "QUARANTINED"; }));
  ids.push_back(next);
  for (const std::string& id : ids) node().remove(id);
}

TEST_F(StormGuard, T40_OnePlaceThatIsStoppedAgainAndAgainIsNoStorm) {
  const std::size_t before = guards().size();
  const std::string id = node().unique("alone");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(
        node().ctr(run_arguments(id, {"-d"}, {"/box", "entry", "/trigger", "/box", "wait"})).status,
        0);
    node().poke(id, "novel");
    EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; })) << i;
    node().remove(id);
    EXPECT_TRUE(await([&] { return row(id).is_null(); }));
  }
  EXPECT_EQ(guards().size(), before);
}

}  // namespace
}  // namespace ward::test
