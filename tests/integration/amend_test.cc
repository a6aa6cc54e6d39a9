// SPDX-License-Identifier: Apache-2.0
// `amend: auto`: what enough containers did outside of their profile is let run by the node, is
// shown, is taken back by one command, and goes with the next version.
#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class AmendByNode : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    std::string rules =
        "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: amend}\nspec:\n  rules:\n";
    for (const std::string name : {"taken", "spoilt", "often", "dropped"}) {
      node().write_profile(name, profile(name, 1));
      rules += "    - match: {containers: [\"" + name +
               "-*\"]}\n      mode: enforce\n      profile: " + name +
               "\n      onViolation: {workload: {action: deny}}\n"
               "      amend: {auto: true, containers: 3, over: 1s}\n";
    }
    // Before the rules of the others, of which none names these profiles.
    node().write_policy("amend", rules);
    await([] { return node().ward({"profile", "list"}).out.find("taken") != std::string::npos; });
  }
  // `often` is balanced, all others are strict.
  static std::string profile(const std::string& name, int version) {
    return box_profile(name, name == "often" ? "balanced" : "", version);
  }
  static std::vector<Json> amendments(const std::string& profile) {
    const Json answer = ward_json({"amend", "list", profile});
    return {answer["amendments"].begin(), answer["amendments"].end()};
  }
  static std::string mkdir_in(const std::string& prefix) {
    return run_box(node().unique(prefix), {"/box", "attack", "mkdir"}).out;
  }
  // wardd looks every five seconds, and of what it sees at one look no time has passed.
  static bool await_amended(const std::string& profile) {
    return await(
        [&] {
          mkdir_in(profile);
          return !amendments(profile).empty();
        },
        std::chrono::seconds(60));
  }
  static std::vector<Json> of_node(const std::string& kind) {
    std::vector<Json> found;
    std::istringstream lines(node().ward({"--output", "json", "events"}).out);
    for (std::string line; std::getline(lines, line);)
      if (Json event = parse_json(line); event.is_object() && event["kind"] == kind)
        found.push_back(std::move(event));
    return found;
  }
};

TEST_F(AmendByNode, WhatThreeContainersDidTheNextOneMayDoUntilAPersonTakesItBack) {
  EXPECT_EQ(mkdir_in("taken"), "mkdir -1 1\n");
  EXPECT_TRUE(amendments("taken").empty());
  ASSERT_TRUE(await_amended("taken"));
  const Json amended = amendments("taken").front();
  EXPECT_EQ(amended["syscall"], "mkdir");
  EXPECT_EQ(amended["kind"], "amended");
  EXPECT_GE(amended["containers"].get<int>(), 3);

  const std::string id = node().unique("taken");
  EXPECT_EQ(run_box(id, {"/box", "attack", "mkdir", "unshare"}).out, "mkdir 0 0\nunshare -1 1\n");
  ASSERT_TRUE(await([&] { return !events(id, "tolerated").empty(); }));
  const Json event = events(id, "tolerated").front();
  EXPECT_EQ(event["overlay"].get<std::string>().size(), 64U) << event;
  EXPECT_EQ(event["profile_digest"], amended["profile_digest"]);
  EXPECT_THAT(event["reason"].get<std::string>(), HasSubstr("this node's amendments let it run"));
  EXPECT_EQ(await_violation(id)["overlay"], event["overlay"]);
  const auto told = of_node("amended");
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.front()["overlay"], event["overlay"]);
  EXPECT_THAT(told.front()["reason"].get<std::string>(), HasSubstr("mkdir is let run"));

  const std::string lives = start_watched("taken");
  EXPECT_EQ(row(lives)["overlay"], event["overlay"]) << row(lives);
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("besides the profiles"));
  EXPECT_EQ(node().ward({"amend", "drop", "taken", "mkdir"}).status, 0);
  EXPECT_TRUE(amendments("taken").empty());
  EXPECT_NE(node().ward({"amend", "drop", "taken", "mkdir"}).status, 0) << "of two people one does";
  EXPECT_EQ(mkdir_in("taken"), "mkdir -1 1\n");
  EXPECT_EQ(row(lives)["overlay"], event["overlay"]) << "until it is started again";
  node().remove(lives);
}

TEST_F(AmendByNode, T39_WhatAContainerContributedFallsWithItsFirstReach) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(start_watched("spoilt"));
  ASSERT_TRUE(await(
      [&] {
        for (const std::string& id : ids) node().poke(id, "mkdir");
        return !amendments("spoilt").empty();
      },
      std::chrono::seconds(60)));
  EXPECT_EQ(mkdir_in("spoilt"), "mkdir 0 0\n");
  node().poke(ids[0], "unshare");
  node().poke(ids[1], "unshare");
  EXPECT_TRUE(await([&] { return amendments("spoilt").empty(); }, std::chrono::seconds(60)));
  EXPECT_EQ(mkdir_in("spoilt"), "mkdir -1 1\n");
  const auto told = of_node("amendment-dropped");
  ASSERT_FALSE(told.empty());
  EXPECT_THAT(told.back()["reason"].get<std::string>(), HasSubstr("does not stand on enough"));
  for (const std::string& id : ids) node().remove(id);
}

TEST_F(AmendByNode, ANewVersionDecidesAndDropsIt) {
  ASSERT_TRUE(await_amended("dropped"));
  const auto path = node().directory() / "dropped-2.yaml";
  std::ofstream(path) << profile("dropped", 2);
  EXPECT_EQ(node().ward({"profile", "apply", path.string()}).status, 0);
  EXPECT_EQ(mkdir_in("dropped"), "mkdir -1 1\n");
  EXPECT_TRUE(await([] { return amendments("dropped").empty(); }));
}

TEST_F(AmendByNode, AnAmendmentOutlivesWarddAndIsInForceWhileItIsAway) {
  ASSERT_TRUE(await_amended("spoilt"));
  node().stop_wardd(SIGTERM);
  EXPECT_EQ(mkdir_in("spoilt"), "mkdir 0 0\n") << "I1";
  node().start_wardd();
  EXPECT_EQ(amendments("spoilt").size(), 1U);
  EXPECT_EQ(mkdir_in("spoilt"), "mkdir 0 0\n");
}

// A summary of what came so often is made when the container ends.
TEST_F(AmendByNode, WhatTheShimIsAskedForThousandsOfTimesASecondGoesIntoTheFilter) {
  const Output first = run_box(node().unique("often"), {"/box", "rate", "m", "1", "3000", "0"});
  ASSERT_THAT(first.out, HasSubstr("calls ")) << first.err;
  const double before = std::stod(first.out.substr(6));
  if (before < 3 * 1200) GTEST_SKIP() << "this machine makes " << before << " calls in 3 s";
  ASSERT_TRUE(await([] { return !amendments("often").empty(); }, std::chrono::seconds(60)));
  EXPECT_EQ(amendments("often").front()["kind"], "hot");
  const std::string id = node().unique("often");
  const Output second = run_box(id, {"/box", "rate", "m", "1", "500", "0"});
  EXPECT_GT(std::stod(second.out.substr(6)) * 6, before * 2) << "nobody is asked: " << second.out;
  EXPECT_TRUE(events(id, "tolerated").empty());
}

}  // namespace
}  // namespace ward::test
