// SPDX-License-Identifier: Apache-2.0
// Which rule governs a container, as a person can ask and see it; what an image says of itself is
// no answer.
#include "tests/integration/cri_test_base.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

constexpr char kHostileImage[] = "docker.io/ward/hostile-labels:demo";

nlohmann::json answer_of(Node& node, const std::vector<std::string>& question, int status = 0) {
  std::vector<std::string> arguments{"-o", "json", "policy", "test"};
  arguments.insert(arguments.end(), question.begin(), question.end());
  const Output output = node.ward(arguments);
  EXPECT_EQ(output.status, status) << output.err;
  return parse_json<nlohmann::json>(output.out);
}

class PolicyVerdict : public NodeTest {
 protected:
  static void SetUpTestSuite() {
    NodeTest::SetUpTestSuite();
    node().import_image("hostile-labels");
    node().write_policy("a-shop", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: shop}
spec:
  rules:
    - {match: {kubernetesNamespaces: [shop], images: ["*/cart:*"]}, mode: enforce, profile: cart, missing: baseline}
    - match: {containers: ["trusted*"]}
      mode: "off"
)");
    node().write_policy("b-rest", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: rest}
spec:
  rules:
    - {match: {containers: ["plain-*"]}, mode: learn}
    - {match: {containers: ["strict-*"]}, mode: enforce, profile: nowhere}
)");
    node().start_wardd();
  }
};

TEST_F(PolicyVerdict, F25_TheDecidingRuleIsNamedWithItsPlaceAndWhyNoneBeforeIt) {
  const auto verdict = answer_of(node(), {"--container", "plain-1"});
  EXPECT_EQ(verdict["matches"], true);
  EXPECT_EQ(verdict["policy"], "rest");
  EXPECT_EQ(verdict["file"], (node().config() / "policies/b-rest.yaml").string());
  EXPECT_EQ(verdict["rule"], 1);
  EXPECT_EQ(verdict["line"], 6);
  EXPECT_EQ(verdict["mode"], "learn");
  EXPECT_EQ(verdict["workload"], "default_plain-1");
  ASSERT_EQ(verdict["tried"].size(), 3U);
  EXPECT_THAT(verdict["tried"][0]["why_not"].get<std::string>(),
              HasSubstr("images: not known of this container"));
  EXPECT_EQ(verdict["tried"][1]["why_not"], "containers: 'plain-1' is none of 'trusted*'");
  EXPECT_EQ(verdict["tried"][2]["why_not"], "");
  const Output text = node().ward({"policy", "test", "--container", "plain-1"});
  EXPECT_THAT(text.out, HasSubstr("rule 1 of policy rest, " +
                                  (node().config() / "policies/b-rest.yaml").string() + ":6"));
  EXPECT_THAT(text.out, HasSubstr("containers: 'plain-1' is none of 'trusted*'"));
}

TEST_F(PolicyVerdict, F25_WhatFollowsIsSaidAsTheShimWouldDoIt) {
  const std::vector<std::string> cart = {"--namespace", "shop", "--pod",   "cart-1",
                                         "--container", "app",  "--image", "docker.io/shop/cart:1"};
  const auto baseline = answer_of(node(), cart);
  EXPECT_EQ(baseline["mode"], "enforce");
  EXPECT_EQ(baseline["profile"], "container-default");
  EXPECT_THAT(baseline["notes"].dump(), HasSubstr("does not exist on this node"));
  auto privileged = cart;
  privileged.emplace_back("--privileged");
  const auto alone = answer_of(node(), privileged, 7);
  EXPECT_THAT(alone["tried"][0]["why_not"].get<std::string>(), HasSubstr("left alone: privileged"));
  const auto refused = answer_of(node(), {"--container", "strict-1"}, 1);
  EXPECT_THAT(refused["refused"].get<std::string>(), HasSubstr("profile 'nowhere' does not exist"));
  const auto stricter =
      answer_of(node(), {"--container", "plain-1", "--annotation", "ward.dev/mode=off"});
  EXPECT_EQ(stricter["mode"], "learn");
  EXPECT_THAT(stricter["notes"].dump(), HasSubstr("would be less strict"));
}

TEST_F(PolicyVerdict, F25_AContainerThatNoRuleMatchesIsSeenAndExplained) {
  ASSERT_EQ(node()
                .ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, "other-1", "/box", "wait"})
                .status,
            0);
  EXPECT_TRUE(await([&] { return node().ward({"ps"}).out.find("other-1") != std::string::npos; }))
      << node().ward({"ps"}).out;
  const auto verdict = answer_of(node(), {"other-1"}, 7);
  EXPECT_EQ(verdict["matches"], false);
  EXPECT_EQ(verdict["mode"], "off");
  EXPECT_EQ(verdict["running_mode"], "off");
  EXPECT_EQ(verdict["tried"].size(), 4U);
  EXPECT_THAT(node().ward({"policy", "test", "other-1"}).out, HasSubstr("no rule of 4"));
  node().remove("other-1");
}

TEST_F(PolicyVerdict, F25_WhatIsNoQuestionIsRefused) {
  EXPECT_EQ(node().ward({"policy", "test"}).status, 2);
  EXPECT_EQ(node().ward({"policy", "test", "nobody"}).status, 1);
  EXPECT_EQ(node().ward({"policy", "test", "nobody", "--image", "x"}).status, 2);
  EXPECT_EQ(node().ward({"policy", "test", "--container", "a", "--annotation", "x"}).status, 2);
}

// containerd puts the image's labels among the container's own; what the shim goes by is not there.
TEST_F(PolicyVerdict, F25_AnImagesLabelsAreNeverTakenForWhatTheOperatorSaid) {
  ASSERT_EQ(node().ctr({"run", "-d", "--runtime", kWardRuntime, kHostileImage, "plain-2"}).status,
            0);
  EXPECT_THAT(node().ctr({"container", "info", "plain-2"}).out,
              HasSubstr("io.kubernetes.cri.sandbox-namespace"));
  nlohmann::json row;
  EXPECT_TRUE(await([&] {
    const auto all =
        parse_json_or_throw<nlohmann::json>(node().ward({"-o", "json", "ps"}).out)["containers"];
    const auto found = std::find_if(all.begin(), all.end(),
                                    [](const auto& one) { return one["id"] == "plain-2"; });
    if (found != all.end()) row = *found;
    return found != all.end();
  }));
  EXPECT_EQ(row["mode"], "learn");
  EXPECT_EQ(row["name"], "plain-2");
  for (const char* key : {"pod", "kubernetes_namespace", "image"}) EXPECT_EQ(row[key], "") << key;
  EXPECT_EQ(row["note"], "");
  node().remove("plain-2");
}

class CriPolicy : public CriTest {
 protected:
  static void SetUpTestSuite() {
    CriTest::SetUpTestSuite();
    node().import_image("hostile-labels");
    EXPECT_TRUE(await([&] { return !client().image_id(kHostileImage).value_or("").empty(); }));
    node().write_policy("tests", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: tests}
spec:
  rules:
    - {match: {pods: [trusted], containers: ["*"]}, mode: "off"}
    - {match: {images: ["*/trusted:*"]}, mode: "off"}
    - {match: {kubernetesNamespaces: [tests], pods: ["replica-*"]}, mode: learn, workload: "{namespace}_{container}"}
    - {match: {kubernetesNamespaces: [tests]}, mode: learn}
)");
    node().start_wardd();
  }
  static nlohmann::json recordings() {
    return parse_json_or_throw<nlohmann::json>(
        node().ward({"-o", "json", "learn", "list"}).out)["recordings"];
  }
  static std::string workload_of(const std::string& container) {
    const auto all = parse_json_or_throw<nlohmann::json>(node().ward({"-o", "json", "ps"}).out);
    for (const auto& row : all["containers"])
      if (row["id"] == container) return row["workload"];
    return "";
  }
};

TEST_P(CriPolicy, F26_TwoPodsWithAContainerOfOneNameAreTwoRecordings) {
  std::set<std::string> workloads;
  for (const char* name : {"cart", "payment"}) {
    const std::string id = start(start_pod(name), "app", {"/box", "wait"});
    EXPECT_TRUE(await([&] { return !workload_of(id).empty(); }));
    const std::string workload = workload_of(id);
    EXPECT_EQ(workload.rfind("tests_" + std::string(name) + "_app__", 0), 0U) << workload;
    workloads.insert(workload);
    const std::string shown = node().ward({"learn", "show", workload}).out;
    for (const char* word : {"tests", name, "app", kBoxImage}) EXPECT_THAT(shown, HasSubstr(word));
  }
  EXPECT_EQ(workloads.size(), 2U);
}

// It is named after what becomes of the other, by a tenant of the same namespace and of the same
// image.
TEST_P(CriPolicy, F26_APodThatIsNamedToMergeIntoAnothersRecordingDoesNot) {
  const std::string victim = start(start_pod("cart-5d8f7c9b4-x2x4z"), "app", {"/box", "wait"});
  EXPECT_TRUE(await([&] { return !workload_of(victim).empty(); }));
  const std::string name = workload_of(victim);
  for (const std::string& pod : {std::string("cart"), std::string("cart-5d8f7c9b4-x2x4y"), name}) {
    const std::string attacker = start(start_pod(pod), "app", {"/box", "wait"});
    EXPECT_TRUE(await([&] { return !workload_of(attacker).empty(); }));
    EXPECT_NE(workload_of(attacker), name) << pod;
  }
}

TEST_P(CriPolicy, F26_ReplicasAreLearnedTogetherWhereThePolicySaysSoAndStrangersAreNot) {
  for (const char* pod : {"replica-1", "replica-2"}) start(start_pod(pod), "web", {"/box", "wait"});
  const auto runs = [&] {
    for (const auto& recording : recordings())
      if (recording["workload"] == "tests_web") return recording["runs"].get<int>();
    return 0;
  };
  EXPECT_TRUE(await([&] { return runs() == 2; })) << recordings().dump();
  const auto said = [&](const std::string& what) {
    return node().ward({"status"}).out.find(what) != std::string::npos;
  };
  EXPECT_FALSE(said("recording 'tests_web'"));
  start(start_pod("replica-3"), container_config("web", {"/box", "wait"}, "nobody"));
  EXPECT_TRUE(
      await([&] { return said("recording 'tests_web': it has runs of different images"); }));
  const Output generated = node().ward({"profile", "generate", "tests_web"});
  EXPECT_EQ(generated.status, 1);
  EXPECT_THAT(generated.err, HasSubstr("different images"));
  EXPECT_THAT(generated.err, HasSubstr("docker.io/ward/nobody:demo"));
  remove_pods();
  EXPECT_EQ(node().ward({"profile", "generate", "--allow-mixed", "tests_web"}).status, 0);
  EXPECT_EQ(node().ward({"learn", "forget", "tests_web"}).status, 0);
}

TEST_P(CriPolicy, F25_AnImagesLabelsAreNeverTakenForWhatThePodSaid) {
  const std::string id = start(start_pod("honest"), container_config("main", {}, "hostile-labels"));
  EXPECT_TRUE(await([&] { return !workload_of(id).empty(); }));
  EXPECT_EQ(workload_of(id).rfind("tests_honest_main__", 0), 0U) << workload_of(id);
}

INSTANTIATE_TEST_SUITE_P(Handlers, CriPolicy, testing::Values("ward"), handler_name);

}  // namespace
}  // namespace ward::test
