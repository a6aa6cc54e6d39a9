// SPDX-License-Identifier: Apache-2.0
// Mode supervise: a rehearsal that takes nothing from the container, and what becomes of it when it is switched to
// enforce while it runs.
#include "lib/ttrpc/client.h"
#include "tests/integration/guarded_test_base.h"
#include "ward/node/v1/node.pb.h"

namespace ward::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Supervise : public GuardedTest {
 protected:
  // As wardd would ask the shim.
  static Result<void> switch_to(const std::string& id, node::v1::Mode mode) {
    asio::io_context loop{1};
    ttrpc::Client client(loop, node().shim_socket(id));
    node::v1::SetModeRequest request;
    request.set_containerd_namespace(node().containerd_namespace());
    request.set_container_id(id);
    request.set_mode(mode);
    std::optional<Result<std::string>> answer;
    client.call("ward.node.v1.Shim", "SetMode", request.SerializeAsString(), kPatience,
                [&](Result<std::string> bytes) { answer = std::move(bytes); });
    while (!answer && loop.run_one_for(kPatience) > 0) continue;
    if (!answer) return fail(Code::kDeadlineExceeded, "the shim does not answer");
    if (!*answer) return tl::unexpected(answer->error());
    return {};
  }
};

TEST_F(Supervise, F08_AContainerKeepsWhatItHas) {
  const Output stock =
      node().ctr({"run", "--rm", "--runtime", kRuncRuntime, kBoxImage, node().unique("stock"), "/box", "status"});
  std::string kept = stock.out;
  // The filter is the one thing that is added.
  kept.replace(kept.find("Seccomp:\t0"), 10, "Seccomp:\t2");
  EXPECT_EQ(run_box(node().unique("supervise"), {"/box", "status"}).out, kept);
  EXPECT_EQ(run_box(node().unique("supervise"), {"/box", "attack", "raw", "novel", "fchmodat2"}).out,
            "raw 3 0\nnovel -1 14\nfchmodat2 -1 9\n");
}

TEST_F(Supervise, F08_ASwitchToEnforceSaysThatCapabilitiesAreTheContainersOwnUntilItsNextStart) {
  const std::string id = start_watched("supervise");
  ASSERT_TRUE(await([&] { return row(id)["mode"] == "supervise"; }));
  EXPECT_EQ(row(id)["partly"], "");
  EXPECT_EQ(ward_json({"status"})["partly_enforced"], 0);
  const auto switched = switch_to(id, node::v1::MODE_ENFORCE);
  ASSERT_TRUE(switched) << switched.error().message;
  ASSERT_TRUE(await([&] { return row(id)["mode"] == "enforce"; }));
  EXPECT_THAT(row(id)["partly"].get<std::string>(), HasSubstr("capabilities"));
  EXPECT_THAT(node().ward({"ps"}).out, HasSubstr("capabilities: own until the next start"));
  EXPECT_EQ(ward_json({"status"})["partly_enforced"], 1) << "whoever gates on it must not take it for enforced";
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("1 only partly enforced"));
  std::vector<Json> changes;
  ASSERT_TRUE(await([&] { return !(changes = events(id, "mode-changed")).empty(); }));
  EXPECT_THAT(changes.front()["reason"].get<std::string>(),
              HasSubstr("from supervise to enforce; capabilities: own until the next start"));
  // What starts now starts enforced.
  const Output session = node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "status"});
  EXPECT_THAT(session.out, HasSubstr("CapBnd:\t0000000000000021\n"));
  EXPECT_THAT(session.out, HasSubstr("NoNewPrivs:\t1\n"));
  ASSERT_TRUE(switch_to(id, node::v1::MODE_SUPERVISE));
  EXPECT_TRUE(await([&] { return row(id)["partly"] == "" && row(id)["mode"] == "supervise"; }));
  node().remove(id);
}

TEST_F(Supervise, F08_AContainerThatBeganInEnforceIsWhollyEnforced) {
  const std::string id = start_watched("deny");
  ASSERT_TRUE(await([&] { return row(id)["mode"] == "enforce"; }));
  EXPECT_EQ(row(id)["partly"], "");
  node().remove(id);
}

// The profile of box, whose maker knew nothing newer than what Linux 6.4 had.
class Newer : public Supervise {
 protected:
  static void SetUpTestSuite() {
    Supervise::SetUpTestSuite();
    std::string text = box_profile();
    text.replace(text.find("name: box"), 9, "name: older");
    text.replace(text.find("  syscalls:\n"), 12,
                 "  knows: {number: 450, name: set_mempolicy_home_node}\n  syscalls:\n");
    node().write_profile("older", text);
    node().write_policy("older", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: older}
spec:
  rules:
    - {match: {containers: ["older-*"]}, mode: enforce, profile: older}
)");
    await([] { return node().ward({"--output", "json", "profile", "list"}).out.find("older") != std::string::npos; });
  }
};

TEST_F(Newer, F06_ACallThatTheProfileDoesNotKnowIsEnosysRecordedAndCostsNothing) {
  const std::string id = node().unique("older");
  const Output output = run_box(id, {"/box", "attack", "fchmodat2", "listxattrat", "fchmodat2"});
  EXPECT_EQ(output.out, "fchmodat2 -1 38\nlistxattrat -1 38\nfchmodat2 -1 38\n") << output.err;
  EXPECT_EQ(output.status, 0);
  const Json event = await_violation(id);
  EXPECT_EQ(event["syscall"], "fchmodat2");
  EXPECT_EQ(event["action"], "deny");
  EXPECT_EQ(event["reason"], "fchmodat2 is newer than profile older");
  EXPECT_TRUE(events(id, "quarantined").empty());
}

// Numbers that this node's libseccomp has no name for: some that Linux has, one that it will have, one beyond all
// tables.
TEST_F(Newer, F06_ACallWithoutANameHereIsEnosysCostsNothingAndStatusSaysSo) {
  for (const char* prefix : {"older", "quarantine", "kill", "supervise"}) {
    const std::string id = node().unique(prefix);
    const Output output = run_box(id, {"/box", "attack", "listxattrat", "unnamed", "beyond"});
    EXPECT_EQ(output.out, "listxattrat -1 38\nunnamed -1 38\nbeyond -1 38\n") << output.err;
    EXPECT_EQ(output.status, 0) << prefix;
    EXPECT_TRUE(events(id).empty()) << prefix;
  }
  const std::string newest = ward_json({"status"})["newest_call"];
  EXPECT_THAT(newest, testing::MatchesRegex("[a-z0-9_]+ \\([0-9]+\\)"));
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("named to " + newest + "; newer ones are answered ENOSYS"));
}

TEST_F(Newer, F06_ARecordingKeepsTheNumber) {
  if (ward_json({"status"})["recorder"].get<std::string>().find("none") == 0)
    GTEST_SKIP() << "nothing is recorded here";
  const std::string id = node().unique("learn");
  EXPECT_EQ(run_box(id, {"/box", "attack", "unnamed", "beyond"}).out, "unnamed -1 38\nbeyond -1 38\n");
  Json recording;
  ASSERT_TRUE(await([&] { return (recording = ward_json({"learn", "show", "learned"}))["runs"].size() == 1; }));
  EXPECT_THAT(recording["warnings"].dump(), HasSubstr("call numbers 500, 600 have no name here"));
  EXPECT_EQ(recording["lost_events"], 0);
  const Json generated = ward_json({"profile", "generate", "learned"});
  EXPECT_THAT(generated["warnings"].dump(), HasSubstr("call numbers 500, 600 have no name here"));
}

TEST_F(Newer, F06_WhatTheProfileKnewAndLeftOutIsMetAsBefore) {
  const std::string id = start_watched("older");
  node().poke(id, "novel");
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
