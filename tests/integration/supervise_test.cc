// SPDX-License-Identifier: Apache-2.0
// Mode supervise: a rehearsal that takes nothing from the container, and what becomes of it when it
// is switched to enforce while it runs.
#include <fstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Supervise : public GuardedTest {};

TEST_F(Supervise, F08_AContainerKeepsWhatItHas) {
  const Output stock = node().ctr({"run", "--rm", "--runtime", kRuncRuntime, kBoxImage,
                                   node().unique("stock"), "/box", "status"});
  std::string kept = stock.out;
  // The filter is the one thing that is added.
  kept.replace(kept.find("Seccomp:\t0"), 10, "Seccomp:\t2");
  EXPECT_EQ(run_box(node().unique("supervise"), {"/box", "status"}).out, kept);
  EXPECT_EQ(
      run_box(node().unique("supervise"), {"/box", "attack", "raw", "novel", "fchmodat2"}).out,
      "raw 3 0\nnovel -1 14\nfchmodat2 -1 9\n");
}

TEST_F(Supervise, F08_ASwitchToEnforceSaysThatCapabilitiesAreTheContainersOwnUntilItsNextStart) {
  const std::string id = start_watched("supervise");
  ASSERT_TRUE(await([&] { return row(id)["mode"] == "supervise"; }));
  EXPECT_EQ(row(id)["partly"], "");
  EXPECT_EQ(ward_json({"status"})["partly_enforced"], 0);
  const Output switched = node().ward({"mode", id, "enforce", "--reason", "rehearsed long enough"});
  ASSERT_EQ(switched.status, 0) << switched.err;
  EXPECT_THAT(switched.out, AllOf(HasSubstr(node().containerd_namespace() + "/" + id),
                                  HasSubstr("mode enforce"), HasSubstr("capabilities")));
  EXPECT_EQ(row(id)["mode"], "enforce") << "when it is answered it is so";
  EXPECT_THAT(row(id)["partly"].get<std::string>(), HasSubstr("capabilities"));
  EXPECT_THAT(node().ward({"ps"}).out, HasSubstr("capabilities: own until the next start"));
  EXPECT_EQ(ward_json({"status"})["partly_enforced"], 1)
      << "whoever gates on it must not take it for enforced";
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("1 only partly enforced"));
  std::vector<Json> changes;
  ASSERT_TRUE(await([&] { return !(changes = events(id, "mode-changed")).empty(); }));
  EXPECT_THAT(changes.front()["reason"].get<std::string>(),
              AllOf(HasSubstr("from supervise to enforce; capabilities"),
                    HasSubstr(": own until the next start"), HasSubstr("rehearsed long enough")));
  // What starts now starts enforced.
  const Output session = node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "status"});
  EXPECT_THAT(session.out, HasSubstr("CapBnd:\t0000000000000021\n"));
  EXPECT_THAT(session.out, HasSubstr("NoNewPrivs:\t1\n"));
  ASSERT_EQ(node().ward({"mode", id, "supervise"}).status, 0);
  EXPECT_TRUE(row(id)["partly"] == "" && row(id)["mode"] == "supervise");
  node().remove(id);
}

TEST_F(Supervise, F08_NetRawWorksAfterTheSwitchAndIsTold) {
  if (const std::string why = why_not_watched(); !why.empty()) GTEST_SKIP() << why;
  std::string text = box_profile();
  text.replace(text.find("name: box"), 9, "name: raw");
  text.replace(text.find("      - write"), 13,
               "      - {name: socket, args: [{index: 0, oneOf: [AF_INET]}, {index: 1, oneOf: "
               "[SOCK_RAW]}]}\n"
               "      - write");
  text +=
      "  accept: [{syscall: socket, args: [{index: 0, oneOf: [AF_INET]}, {index: 1, oneOf: "
      "[SOCK_RAW]}], "
      "reason: the test opens one}]\n";
  node().write_profile("raw", text);
  node().write_policy("raw", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: raw}
spec:
  rules:
    - {match: {containers: ["rawly-*"]}, mode: supervise, profile: raw}
    - {match: {containers: ["cutly-*"]}, mode: enforce, profile: raw}
)");
  ASSERT_TRUE(await([] {
    return node().ward({"--output", "json", "profile", "list"}).out.find("\"raw\"") !=
           std::string::npos;
  }));
  const std::string id = start_watched("rawly");
  ASSERT_EQ(row(id)["mode"], "supervise");
  ASSERT_EQ(node().ward({"mode", id, "enforce"}).status, 0);
  node().poke(id, "raw");
  const Json used = await_violation(id);
  EXPECT_EQ(used["capability"], "CAP_NET_RAW") << used;
  EXPECT_EQ(used["outcome"], "continued") << "its own until the next start";
  EXPECT_EQ(row(id)["state"], "RUNNING");
  EXPECT_THAT(row(id)["partly"].get<std::string>(), HasSubstr("capabilities"));
  // A session that starts now has it no more, and neither has the container after its next start.
  const Output session =
      node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "attack", "raw"});
  EXPECT_THAT(session.out, HasSubstr("raw -1 1\n"));
  node().remove(id);

  // Enforced from its start, it is told of as well, and is no violation. It lives on: of one that
  // has ended wardd would tell in the place of its shim.
  const std::string cut = start_watched("cutly");
  node().poke(cut, "raw");
  std::vector<Json> denied;
  ASSERT_TRUE(await([&] { return !(denied = events(cut, "capability-denied")).empty(); }));
  node().poke(cut, "raw");
  node().remove(cut);
  denied = events(cut, "capability-denied");
  ASSERT_EQ(denied.size(), 1U) << "the first time only";
  EXPECT_EQ(denied.front()["capability"], "CAP_NET_RAW") << denied.front();
  EXPECT_EQ(denied.front()["outcome"], "denied");
  EXPECT_THAT(denied.front()["reason"].get<std::string>(), HasSubstr("is not in profile raw"));
  EXPECT_TRUE(events(cut).empty()) << events(cut).front();
  const Json proposal = ward_json({"profile", "propose", "raw"});
  EXPECT_EQ(proposal["capabilities"].dump(), "[\"CAP_NET_RAW\"]");
  EXPECT_THAT(proposal["yaml"].get<std::string>(), HasSubstr("CAP_NET_RAW]"));
}

class Widened : public GuardedTest {
 protected:
  static std::string version(int number, const std::string& more) {
    std::string text = box_profile();
    text.replace(text.find("name: box"), 9, "name: grow");
    const std::size_t at = text.find("version: ");
    text.replace(at, text.find_first_of(",}", at) - at, "version: " + std::to_string(number));
    if (!more.empty()) text.insert(text.find("      - write"), "      - " + more + "\n");
    return text;
  }
  static std::string file(int number, const std::string& more) {
    const std::string path = (node().directory() / "grow.yaml").string();
    std::ofstream(path) << version(number, more);
    return path;
  }
  // A session is judged by the same law, and says how it was answered.
  static std::string answer(const std::string& id, const std::string& call) {
    return node()
        .ctr({"task", "exec", "--exec-id", node().unique("e"), id, "/box", "attack", call})
        .out;
  }
};

TEST_F(Widened, ARunningContainerMayDoAtOnceWhatANewVersionAllowsAndIsNarrowedByItsNextStart) {
  node().write_profile("grow", version(1, ""));
  node().write_policy("grow", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: grow}
spec:
  rules:
    - {match: {containers: ["grow-*"]}, mode: enforce, profile: grow, onViolation: {workload: {action: deny}}}
)");
  ASSERT_TRUE(await([] { return node().ward({"profile", "show", "grow"}).status == 0; }));
  const std::string id = start_watched("grow");
  const std::string began_with = row(id)["profile_digest"];
  node().poke(id, "mempolicy");
  EXPECT_EQ(await_violation(id)["syscall"], "get_mempolicy");
  EXPECT_EQ(answer(id, "mempolicy"), "mempolicy -1 1\n");

  const Output wider = node().ward({"profile", "apply", file(2, "get_mempolicy")});
  ASSERT_EQ(wider.status, 0) << wider.err;
  EXPECT_THAT(wider.out, HasSubstr("\n1 running container may do what it allows from now on"));
  ASSERT_TRUE(await([&] { return !events(id, "widened").empty(); }));
  EXPECT_EQ(events(id, "widened").front()["outcome"], "widened");
  EXPECT_NE(row(id)["profile_digest"], began_with);
  EXPECT_THAT(row(id)["note"].get<std::string>(), HasSubstr("versions 1 and 2 of its profile"));
  const auto counted = [&](const char* what) { return row(id)[what].get<std::uint64_t>(); };
  const auto violations = counted("violations"), continued = counted("continued");
  node().poke(id, "mempolicy");
  EXPECT_TRUE(await([&] { return counted("continued") > continued; }));
  EXPECT_EQ(counted("violations"), violations);
  EXPECT_EQ(answer(id, "mempolicy"), "mempolicy 0 0\n");

  // What the version of the start allows stays, whatever a later one says: the kernel's filter lets
  // it run already. A version in between leaves nothing behind.
  ASSERT_EQ(node().ward({"profile", "apply", file(3, "quotactl")}).status, 0);
  ASSERT_TRUE(await([&] { return events(id, "widened").size() == 2; }));
  EXPECT_THAT(row(id)["note"].get<std::string>(), HasSubstr("versions 1 and 3 of its profile"));
  EXPECT_EQ(answer(id, "mempolicy"), "mempolicy -1 1\n");
  EXPECT_EQ(answer(id, "unshare"), "unshare -1 1\n") << "the danger set stays closed";
  const std::string next = start_watched("grow");
  EXPECT_EQ(answer(next, "mempolicy"), "mempolicy -1 1\n");
  EXPECT_EQ(row(next)["note"], "");
  node().remove(next);

  // A wardd that was away tells the shims when they are back.
  node().stop_wardd(SIGTERM);
  node().write_profile("grow", version(4, "get_mempolicy"));
  node().start_wardd();
  EXPECT_TRUE(await([&] { return events(id, "widened").size() == 3; }));
  EXPECT_THAT(row(id)["note"].get<std::string>(), HasSubstr("versions 1 and 4"));
  EXPECT_EQ(answer(id, "mempolicy"), "mempolicy 0 0\n");
  node().remove(id);
}

TEST_F(Supervise, F08_OnlyWhatHasAFilterOfWardIsSwitchedAndTwiceIsOnce) {
  const std::string off = start_watched("off");
  const std::string learns = start_watched("learn");
  ASSERT_TRUE(await([&] { return row(off)["mode"] == "off" && row(learns)["mode"] == "learn"; }));
  for (const std::string& id : {off, learns}) {
    const Output refused = node().ward({"mode", id, "enforce"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, AllOf(HasSubstr(id), HasSubstr("has no filter of Ward"),
                                   HasSubstr("start it anew")));
  }
  const Output nobody = node().ward({"mode", "nobody", "enforce"});
  EXPECT_EQ(nobody.status, 1);
  EXPECT_THAT(nobody.err, AllOf(HasSubstr("no container 'nobody'"), HasSubstr("ward ps")));
  EXPECT_EQ(node().ward({"mode", off, "learn"}).status, 2);
  const std::string id = start_watched("deny");
  for (int i = 0; i < 2; ++i) {
    const Json again = ward_json({"mode", node().containerd_namespace() + "/" + id, "enforce"});
    EXPECT_EQ(again["unchanged"], true);
    EXPECT_EQ(again["container"]["mode"], "enforce");
  }
  EXPECT_TRUE(events(id, "mode-changed").empty());
  ASSERT_EQ(node().ward({"mode", id, "supervise"}).status, 0);
  EXPECT_THAT(row(id)["note"].get<std::string>(), HasSubstr("what was cut at its start stays cut"));
  node().poke(id, "unshare");
  EXPECT_EQ(await_violation(id)["outcome"], "denied")
      << "the danger set is denied in supervise, too";
  for (const std::string& one : {off, learns, id}) node().remove(one);
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
    await([] {
      return node().ward({"--output", "json", "profile", "list"}).out.find("older") !=
             std::string::npos;
    });
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

// Numbers that this node's libseccomp has no name for: some that Linux has, one that it will have,
// one beyond all tables.
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
  EXPECT_THAT(node().ward({"status"}).out,
              HasSubstr("named to " + newest + "; newer ones are answered ENOSYS"));
}

TEST_F(Newer, F06_ARecordingKeepsTheNumber) {
  if (ward_json({"status"})["recorder"].get<std::string>().find("none") == 0)
    GTEST_SKIP() << "nothing is recorded here";
  const std::string id = node().unique("learn");
  EXPECT_EQ(run_box(id, {"/box", "attack", "unnamed", "beyond"}).out,
            "unnamed -1 38\nbeyond -1 38\n");
  Json recording;
  ASSERT_TRUE(await([&] {
    return (recording = ward_json({"learn", "show", "learned"}))["runs"].size() == 1;
  }));
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
