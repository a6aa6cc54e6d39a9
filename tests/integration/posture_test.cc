// SPDX-License-Identifier: Apache-2.0
// A profile of posture balanced: what harms nobody runs, what acts on things held already runs and
// is recorded, and everything else is met as ever.
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Posture : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    // What a window sees would be told among what the supervisor tells (sampling_test.cc).
    std::ofstream(node().config() / "wardd.yaml")
        << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nsampling: {every: 0s}\n";
    for (const char* posture : {"balanced", "lenient"})
      node().write_profile(posture, box_profile(posture, posture));
    // Read before the policy of the others, so that its rules come first.
    node().write_policy("balanced", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: balanced}
spec:
  rules:
    - {match: {containers: ["quarantine-*"]}, mode: enforce, profile: balanced}
    - match: {containers: ["deny-*"]}
      mode: enforce
      profile: balanced
      onViolation: {workload: {action: deny}}
    - {match: {containers: ["supervise-*"]}, mode: supervise, profile: balanced}
    - match: {containers: ["lenient-*"]}
      mode: enforce
      profile: lenient
      onViolation: {workload: {action: deny}}
)");
    await([] {
      return node().ward({"profile", "list"}).out.find("balanced") != std::string::npos;
    });
  }
  static std::uint64_t told(const std::vector<Json>& events) {
    std::uint64_t all = 0;
    for (const Json& event : events) all += 1 + std::stoull(event.value("repeats", Json(0)).dump());
    return all;
  }
};

TEST_F(Posture, I11_WhatIsHeldRunsIsRecordedOnceAndIsNoViolation) {
  for (const char* prefix : {"quarantine", "deny", "supervise"}) {
    const std::string id = node().unique(prefix);
    const Output output = run_box(id, {"/box", "attack", "mkdir", "novel", "mkdir", "mkdir"});
    EXPECT_EQ(output.out, "mkdir 0 0\nnovel -1 14\nmkdir -1 17\nmkdir -1 17\n") << output.err;
    EXPECT_EQ(output.status, 0) << prefix;
    EXPECT_TRUE(await([&] { return told(events(id, "tolerated")) == 3; }))
        << node().ward({"events", "-c", id}).out;
    const auto seen = events(id, "tolerated");
    ASSERT_EQ(seen.size(), 2U) << "the first, and a summary of the others when the container ended";
    EXPECT_EQ(seen[0]["syscall"], "mkdir") << "sched_rr_get_interval is in the filter";
    EXPECT_EQ(seen[0]["outcome"], "continued");
    EXPECT_EQ(seen[0]["action"], "log");
    EXPECT_EQ(seen[0]["reason"], "mkdir is not in profile balanced, whose posture lets it run");
    EXPECT_TRUE(events(id).empty()) << events(id).front();
  }
}

// The numbers that it sees itself: of its own PID namespace, as its first process and as a child,
// of its threads and of its children.
TEST_F(Posture, I11_ASignalToItselfIsLetRunAndOneToAnotherIsNot) {
  for (const std::string verb : {"attack", "child"}) {
    const std::string id = node().unique("deny");
    const Output output = run_box(id, {"/box", verb, "own", "other", "sibling", "offspring"});
    const auto line = [&](const std::string& attack, const std::string& answer) {
      const std::string end = verb == "child" ? attack + " ended by 0\n" : "";
      return attack + " " + answer + "\n" + end;
    };
    EXPECT_EQ(output.out, line("own", "0 0") + line("other", "-1 1") + line("sibling", "0 0") +
                              line("offspring", "0 0"))
        << verb << output.err;
    EXPECT_TRUE(await([&] { return told(events(id, "tolerated")) == 3; }))
        << node().ward({"events", "-c", id}).out;
    EXPECT_EQ(events(id, "tolerated")[0]["reason"],
              "tkill is not in profile balanced, whose posture lets it run: the number is the "
              "caller's own");
    ASSERT_EQ(events(id).size(), 1U) << verb;
    EXPECT_EQ(events(id)[0]["syscall"], "tkill");
  }
  const Output proposal = node().ward({"profile", "propose", "balanced"});
  EXPECT_THAT(proposal.out, HasSubstr("tkill")) << "the signal to another was a violation";
}

TEST_F(Posture, LenientLetsNewReachRunAndStopsTheDangerSet) {
  const std::string id = node().unique("lenient");
  EXPECT_EQ(run_box(id, {"/box", "attack", "other", "inet", "listen", "unshare", "af_alg"}).out,
            "other -1 3\ninet 3 0\nlisten 0 0\nunshare -1 1\naf_alg -1 1\n");
  EXPECT_TRUE(await([&] { return told(events(id)) == 2; }))
      << node().ward({"events", "-c", id}).out;
  const Output proposal = node().ward({"profile", "propose", "lenient"});
  for (const char* call : {"tkill (reach, let run)", "listen (reach, let run)"})
    EXPECT_THAT(proposal.out, HasSubstr(call));
  EXPECT_THAT(proposal.out, Not(HasSubstr("\n      unshare"))) << "but as a comment";
}

TEST_F(Posture, ThoseOfALivingContainerAreCountedAsContinuedOnly) {
  const std::string id = start_watched("quarantine");
  node().poke(id, "mkdir");
  ASSERT_TRUE(await([&] { return row(id).value("continued", Json("0")) != "0"; })) << row(id);
  EXPECT_EQ(row(id)["violations"], Json(0)) << row(id);
  EXPECT_EQ(row(id)["state"], "RUNNING");
  node().remove(id);
}

TEST_F(Posture, I3_NewReachAndTheDangerSetAreMetAsEver) {
  std::vector<std::string> command{"/box", "attack"};
  std::string expected;
  for (const char* attack :
       {"unshare",  "af_alg",       "packet",      "vsock",    "mount",    "pivot_root",
        "bpf",      "ptrace",       "process_vm",  "io_uring", "clone-ns", "setns",
        "keyctl",   "personality",  "userfaultfd", "perf",     "module",   "kexec",
        "handle",   "stack-filter", "set-mm",      "hide",     "netlink",  "mempolicy",
        "quotactl", "raw"}) {
    command.emplace_back(attack);
    expected += std::string(attack) + " -1 1\n";
  }
  const std::string id = node().unique("deny");
  EXPECT_EQ(run_box(id, command).out, expected);
  EXPECT_TRUE(await([&] { return told(events(id)) == command.size() - 2; }))
      << node().ward({"events", "-c", id}).out;
  // `hide` gives up gaining privileges first, which harms nobody.
  for (const Json& event : events(id, "tolerated"))
    EXPECT_THAT(event["args_text"].dump(), HasSubstr("PR_SET_NO_NEW_PRIVS")) << event;
  for (const char* attack : {"mempolicy", "unshare"}) {
    const std::string other = start_watched("quarantine");
    node().poke(other, attack);
    EXPECT_TRUE(await([&] { return row(other)["state"] == "QUARANTINED"; })) << attack;
    node().remove(other);
  }
}

// None of these is in the profile, which knows of `box` alone. Each does what it does in a
// container that nobody governs.
TEST_F(Posture, OrdinaryCommandsWorkInExecSessions) {
  const std::vector<std::vector<std::string>> commands = {
      {"/bin/dash", "-c", "echo one | cat | tr o 0"},
      {"/bin/dash", "-c", "for i in 1 2 3; do test -d /usr && echo $i; done; kill -0 $$"},
      {"/bin/bash", "-c", "a=(1 2); echo ${#a[@]} < <(true); wait"},
      {"ls", "-ln", "/usr/share/doc/dash"},
      {"cat", "/usr/lib/os-release"},
      {"head", "-c", "3", "/dev/zero"},
      {"find", "/usr/share/doc/dash", "-type", "f", "-exec", "basename", "{}", ";"},
      {"grep", "-c", "Debian", "/usr/lib/os-release"},
      {"sed", "-n", "1p", "/usr/lib/os-release"},
      {"mawk", "BEGIN { print 6 * 7 }"},
      {"sort", "-r", "/usr/lib/os-release"},
      {"sh", "-c", "printf '2\\n1\\n' | sort | uniq | wc -l"},
      {"tar", "-cf", "/dev/null", "-C", "/usr/share/doc", "dash"},
      {"sh", "-c", "tar -C /usr/share/doc -cf - dash | tar -tf -"},
      {"gzip", "-c", "/usr/lib/os-release"},
      {"du", "-s", "/usr/share/doc/dash"},
      {"df", "--output=target", "/usr"},
      {"id", "-u"},
      {"env"},
      {"uname", "-s"},
      {"date", "-d", "@0", "-u"},
      {"ps", "-e", "-o", "comm="},
      {"stat", "-c", "%s", "/usr/lib/os-release"},
      {"sh", "-c",
       "mkdir /a && cd /a && touch b && chmod 600 b && mv b c && ln -s c d && ls; "
       "cp c e && rm -r /a"},
      {"md5sum", "/usr/lib/os-release"},
      {"sleep", "0.01"},
      {"timeout", "5", "true"},
      {"nice", "true"},
      {"sh", "-c", "sleep 9 & kill $!; wait $!; echo $?"},
      {"curl", "-sS", "http://127.0.0.1:1/"},
      {"curl", "-sS", "http://nowhere.invalid/"},
      {"python3", "-c", "import json, os; print(json.dumps([1, 2]), os.getuid())"},
  };
  std::map<std::string, std::vector<std::string>> answers;
  for (const char* prefix : {"off", "quarantine"}) {
    const std::string id = node().unique(prefix);
    std::vector<std::string> flags{"-d", "--env", "PATH=/usr/bin:/bin"};
    for (const char* directory : {"/usr", "/lib", "/lib64", "/bin"}) {
      flags.insert(flags.end(), {"--mount", "type=bind,src=" +
                                                std::string(std::filesystem::canonical(directory)) +
                                                ",dst=" + directory + ",options=rbind:ro"});
    }
    ASSERT_EQ(node().ctr(run_arguments(id, flags, {"/box", "wait"})).status, 0);
    for (std::size_t i = 0; i < commands.size(); ++i) {
      std::vector<std::string> arguments{"task", "exec", "--exec-id", "e" + std::to_string(i), id};
      arguments.insert(arguments.end(), commands[i].begin(), commands[i].end());
      const Output output = node().ctr(arguments);
      answers[prefix].push_back(commands[i].front() + " " + commands[i].back() + ": " +
                                std::to_string(output.status) + "\n" + output.out);
    }
    // ps asks for the memory policy, which is new reach; it does without.
    for (const Json& event : events(id)) EXPECT_EQ(event["syscall"], "get_mempolicy") << event;
    node().remove(id);
  }
  EXPECT_EQ(answers["quarantine"], answers["off"]);
}

TEST_F(Posture, ExecSessionsHaveItToo) {
  const std::string id = start_watched("quarantine");
  const auto attack = [&](const std::string& exec_id, const std::string& name) {
    return node().ctr({"task", "exec", "--exec-id", exec_id, id, "/box", "attack", name}).out;
  };
  EXPECT_EQ(attack("e1", "mkdir"), "mkdir 0 0\n");
  EXPECT_EQ(attack("e2", "unshare"), "unshare -1 1\n");
  EXPECT_TRUE(await([&] { return told(events(id, "tolerated")) == 1; }));
  EXPECT_EQ(events(id, "tolerated")[0]["exec_id"], "e1");
  node().remove(id);
}

// A rehearsal finds what a recording missed; what it found is proposed, and is then in the profile.
TEST_F(Posture, WhatARehearsalFoundIsProposedAndNoViolationAfterwards) {
  const std::vector<std::string> other = {"/box",      "attack",   "mkdir",
                                          "mempolicy", "quotactl", "unshare"};
  const std::string rehearsed = node().unique("supervise");
  EXPECT_EQ(run_box(rehearsed, other).status, 0);
  ASSERT_TRUE(await([&] { return told(events(rehearsed)) == 3; }));
  const Json proposal = ward_json({"profile", "propose", "balanced"});
  EXPECT_EQ(proposal["version"], 2) << proposal;
  std::map<std::string, std::string> calls;
  for (const Json& call : proposal["calls"]) calls[call["syscall"]] = call["harm"];
  EXPECT_EQ(calls["mkdir"], "held");
  EXPECT_EQ(calls["get_mempolicy"], "reach");
  EXPECT_EQ(calls["quotactl"], "reach");
  EXPECT_FALSE(calls.contains("unshare"));
  EXPECT_THAT(proposal["left_out"].dump(), HasSubstr("unshare"));
  const Output text = node().ward({"profile", "propose", "balanced"});
  EXPECT_EQ(text.out, proposal["yaml"]);
  EXPECT_THAT(text.err, HasSubstr("an attacker's calls are here too"));

  const std::string file = (node().directory() / "balanced.yaml").string();
  EXPECT_EQ(node().ward({"profile", "propose", "balanced", "-o", file}).status, 0);
  const Json wider = ward_json({"profile", "simulate", file});
  const Json narrow =
      ward_json({"profile", "simulate", (node().config() / "profiles/balanced.yaml").string()});
  EXPECT_EQ(wider["events"], narrow["events"]);
  EXPECT_LT(wider["events_stopped"].get<std::uint64_t>(),
            narrow["events_stopped"].get<std::uint64_t>());
  EXPECT_THAT(wider["calls"].dump(), HasSubstr("unshare")) << "nobody signed for it";
  EXPECT_THAT(wider["calls"].dump(), Not(HasSubstr("quotactl")));
  const Output replayed = node().ward({"profile", "simulate", file});
  EXPECT_THAT(replayed.out, HasSubstr("would have acted in 0 of 0 recorded runs, and on"));

  const Output applied = node().ward({"profile", "propose", "balanced", "--apply"});
  EXPECT_EQ(applied.status, 0) << applied.err;
  EXPECT_THAT(applied.err, HasSubstr("profile balanced version 2 is in force"));
  const std::string id = node().unique("quarantine");
  EXPECT_EQ(run_box(id, {"/box", "attack", "mkdir", "mempolicy", "quotactl"}).status, 0);
  EXPECT_TRUE(events(id).empty()) << events(id).front();
  EXPECT_TRUE(events(id, "tolerated").empty()) << "it is listed now";
  const Output nothing = node().ward({"profile", "propose", "nowhere"});
  EXPECT_EQ(nothing.status, 1);
  EXPECT_THAT(nothing.err, HasSubstr("there is no profile 'nowhere'"));
}

TEST_F(Posture, APolicyMayAskForMoreRecordingsBeforeItEnforces) {
  node().write_policy("gate", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: gate}
spec:
  rules:
    - {match: {containers: ["gated-*"]}, mode: enforce, profile: gated, enforceAfter: {runs: 3, recorded: 1h}}
)");
  std::string yaml = box_profile();
  yaml.replace(yaml.find("name: box"), 9, "name: gated");
  yaml += "provenance: {runs: '2', recordedSeconds: '90', coverage: 'Not reliable yet.'}\n";
  const std::string file = (node().directory() / "gated.yaml").string();
  std::ofstream(file) << yaml;
  const Output refused = node().ward({"profile", "apply", file});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("policy gate, rule 1 asks for more before it enforces"));
  EXPECT_THAT(refused.err, HasSubstr("2 runs (3 are asked for), 90s of recorded time (1h are"));
  EXPECT_THAT(refused.err, HasSubstr("--insist"));
  EXPECT_EQ(node().ward({"profile", "show", "gated"}).status, 1);
  EXPECT_EQ(node().ward({"profile", "apply", "--dry-run", file}).status, 1);

  const Output insisted = node().ward({"profile", "apply", "--insist", file});
  EXPECT_EQ(insisted.status, 0) << insisted.err;
  EXPECT_THAT(insisted.err, HasSubstr("gated is enforced before its time: 2 runs"));
  EXPECT_THAT(insisted.out, HasSubstr("coverage: Not reliable yet."));
  EXPECT_EQ(node().ward({"profile", "apply", file}).status, 0) << "it is in force already";
}

}  // namespace
}  // namespace ward::test
