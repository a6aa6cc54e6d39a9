// SPDX-License-Identifier: Apache-2.0
// What an enforced container can do, what it cannot, and what happens when it tries.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kSigsys = 128 + SIGSYS;

class Enforcement : public GuardedTest {};

TEST_F(Enforcement, WhatTheProfileAllowsRuns) {
  const std::string id = node().unique("quarantine");
  const Output output = run_box(id, {"/box", "echo", "allowed"});
  EXPECT_EQ(output.status, 0) << output.err;
  EXPECT_EQ(output.out, "allowed\n");
  EXPECT_TRUE(events(id).empty());
}

TEST_F(Enforcement, TheProcessHasAFilterAndExactlyTheProfilesCapabilities) {
  const Output output = run_box(node().unique("quarantine"), {"/box", "status"});
  EXPECT_THAT(output.out, HasSubstr("Seccomp:\t2\n"));
  EXPECT_THAT(output.out, HasSubstr("NoNewPrivs:\t1\n"));
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"})
    EXPECT_THAT(output.out,
                HasSubstr(std::string(set) +
                          ":\t0000000000000021\n"));  // CAP_CHOWN is bit 0, CAP_KILL bit 5
}

TEST_F(Enforcement, I2_CapabilitiesAreIntersectedWithTheContainersOwn) {
  const Output output =
      run_box(node().unique("quarantine"), {"/box", "status"}, {"--cap-drop", "CAP_KILL"});
  EXPECT_THAT(output.out, HasSubstr("CapBnd:\t0000000000000001\n"));
}

TEST_F(Enforcement, I2_AnExecObeysTheSameCapabilities) {
  const std::string id = start_watched("quarantine");
  const Output output = node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "status"});
  EXPECT_THAT(output.out, HasSubstr("CapBnd:\t0000000000000021\n"));
  EXPECT_THAT(output.out, HasSubstr("Seccomp:\t2\n"));
  node().remove(id);
}

TEST_F(Enforcement, I2_TheContainersOwnFilterStaysInForce) {
  // Docker's default, given by ctr, allows mkdir; the profile does not. It denies keyctl, and so
  // does the profile.
  const Output output =
      run_box(node().unique("deny"), {"/box", "attack", "mkdir", "keyctl", "novel"}, {"--seccomp"});
  EXPECT_EQ(output.out, "mkdir -1 1\nkeyctl -1 1\nnovel -1 1\n") << output.err;
}

TEST_F(Enforcement, I3_NoAttackExecutesAndEachIsSeen) {
  const std::vector<std::string> names = {
      "unshare", "af_alg",      "packet",   "vsock",    "mount",  "pivot_root", "bpf",
      "ptrace",  "process_vm",  "io_uring", "clone-ns", "setns",  "keyctl",     "personality",
      "perf",    "userfaultfd", "module",   "kexec",    "handle", "novel",      "mkdir"};
  std::vector<std::string> command{"/box", "attack"};
  command.insert(command.end(), names.begin(), names.end());
  const std::string id = node().unique("deny");
  const Output output = run_box(id, command);
  EXPECT_EQ(output.status, 0) << output.err;
  for (const std::string& name : names) EXPECT_THAT(output.out, HasSubstr(name + " -1 1\n"));
  await([&] { return events(id).size() >= names.size(); }, std::chrono::seconds(5));
  EXPECT_EQ(events(id).size(), names.size());
}

TEST_F(Enforcement, I3_UnknownCallsAndClone3AnswerEnosys) {
  EXPECT_EQ(run_box(node().unique("deny"), {"/box", "attack", "unknown", "clone3-ns"}).out,
            "unknown -1 38\nclone3-ns -1 38\n");
}

TEST_F(Enforcement, I3_AForeignAbiEndsTheProcessAndIsAViolation) {
  const std::string id = node().unique("deny");
  const Output output = run_box(id, {"/box", "attack", "int80"});
  if (output.status == 128 + SIGSEGV)
    GTEST_SKIP() << "this kernel has no 32-bit calls (IA32 emulation)";
  EXPECT_EQ(output.status, kSigsys) << output.out;
  EXPECT_THAT(await_violation(id).dump(), HasSubstr("foreign-abi"));
}

TEST_F(Enforcement, AnEventSaysWhoDidWhatUnderWhichProfile) {
  const std::string id = node().unique("deny");
  run_box(id, {"/box", "attack", "unshare"});
  const Json event = await_violation(id);
  EXPECT_EQ(event["syscall"], "unshare");
  EXPECT_EQ(event["args"][0], 0x10020000);
  EXPECT_THAT(event["args_text"].dump(), HasSubstr("CLONE_NEWUSER"));
  EXPECT_EQ(event["comm"], "box");
  EXPECT_GT(event["pid"], 0);
  EXPECT_EQ(event["profile"], "box");
  EXPECT_EQ(event["profile_digest"].get<std::string>().size(), 64U);
  EXPECT_EQ(event["action"], "deny");
  EXPECT_EQ(event["origin"], "workload");
  EXPECT_EQ(event["containerd_namespace"], node().name());
  EXPECT_GT(event["answered_us"], 0);
}

TEST_F(Enforcement, ActionLogLetsTheCallRunAndRecordsIt) {
  const std::string id = node().unique("log");
  EXPECT_EQ(run_box(id, {"/box", "attack", "novel"}).out,
            "novel -1 14\n");  // EFAULT: the kernel looked at it
  EXPECT_EQ(await_violation(id)["action"], "log");
}

TEST_F(Enforcement, I3_SuperviseContinuesButNeverTheDangerSet) {
  const std::string id = node().unique("supervise");
  EXPECT_EQ(
      run_box(id, {"/box", "attack", "novel", "unshare", "clone-ns", "af_alg", "stack-filter"}).out,
      "novel -1 14\nunshare -1 1\nclone-ns -1 1\naf_alg -1 1\nstack-filter -1 1\n");
}

TEST_F(Enforcement, ActionKillEndsEveryProcessAtOnce) {
  const std::string id = node().unique("kill");
  Child child(node().ctr_command(run_arguments(
                  id, {"--rm"}, {"/box", "entry", "/trigger", "/box", "crowd", "20"})),
              node().environment());
  ASSERT_TRUE(child.await_output("ready")) << child.err();
  node().poke(id, "unshare");
  EXPECT_EQ(child.wait(std::chrono::seconds(10)), 137);
  const Json event = await_violation(id);
  EXPECT_EQ(event["action"], "kill");
  EXPECT_GT(event["contained_us"], 0);
  EXPECT_TRUE(await([&] { return row(id).is_null(); }, std::chrono::seconds(5)));
}

TEST_F(Enforcement, I6_AQuarantinedContainerIsPausedAndDeletableWithinTwoSeconds) {
  const std::string id = start_watched("quarantine");
  node().poke(id, "unshare");
  ASSERT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; })) << node().task_status(id);
  const Json event = await_violation(id);
  EXPECT_EQ(event["action"], "quarantine");
  EXPECT_GT(event["contained_us"], 0);
  ASSERT_TRUE(await([&] { return row(id)["state"] == "QUARANTINED"; }, std::chrono::seconds(5)))
      << row(id);
  EXPECT_FALSE(row(id)["note"].get<std::string>().empty());
  std::vector<Json> quarantined;
  ASSERT_TRUE(await([&] { return !(quarantined = events(id, "quarantined")).empty(); }));
  EXPECT_GE(quarantined.front()["wall_ns"], event["wall_ns"])
      << "it begins with the violation, not with the container";
  node().ctr({"task", "kill", "-s", "0", id});
  EXPECT_EQ(node().task_status(id), "PAUSED") << "signal 0 only asks";
  EXPECT_NE(node().ctr({"task", "resume", id}).status, 0)
      << "only `ward quarantine release` may thaw it";
  EXPECT_EQ(node().task_status(id), "PAUSED");
  EXPECT_NE(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "true"}).status, 0);
  const auto begin = Clock::now();
  EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", id}).status, 0);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  EXPECT_EQ(node().ctr({"task", "delete", id}).status, 0);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(2));
  node().ctr({"container", "delete", id});
}

TEST_F(Enforcement, I6_SigtermEndsAQuarantinedContainerToo) {
  const std::string id = start_watched("quarantine");
  node().poke(id, "unshare");
  ASSERT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
  EXPECT_EQ(node().ctr({"task", "kill", "-s", "TERM", id}).status, 0);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }, std::chrono::seconds(2)));
  node().remove(id);
}

TEST_F(Enforcement, AQuarantinedContainerLeavesEvidence) {
  const std::string id = start_watched("quarantine");
  node().poke(id, "unshare");
  std::string evidence;
  ASSERT_TRUE(await([&] {
    const auto found = events(id);
    if (!found.empty()) evidence = found.front()["evidence"].get<std::string>();
    return !evidence.empty();
  }));
  const fs::path directory = node().state() / "evidence" / fs::path(evidence).filename();
  ASSERT_TRUE(fs::is_directory(directory)) << evidence;
  EXPECT_EQ(fs::status(directory).permissions() & (fs::perms::group_all | fs::perms::others_all),
            fs::perms::none);
  EXPECT_TRUE(await([&] { return !fs::is_empty(directory); }))
      << "it is written after the container is frozen";
  node().remove(id);
}

TEST_F(Enforcement, AReleasedContainerRunsOnUnderItsProfile) {
  const std::string id = start_watched("quarantine");
  node().poke(id, "unshare");
  ASSERT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
  const Output released = node().ward({"quarantine", "release", id});
  EXPECT_EQ(released.status, 0) << released.err;
  EXPECT_TRUE(await([&] { return node().task_status(id) == "RUNNING"; }));
  node().poke(id, "unshare");
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }))
      << "a second violation freezes it again";
  EXPECT_TRUE(
      await([&] { return events(id, "quarantined").size() == 2; }, std::chrono::seconds(5)));
  const std::vector<Json> quarantines = events(id, "quarantined");
  ASSERT_EQ(quarantines.size(), 2U) << "each quarantine has its own entry";
  EXPECT_LT(quarantines[0]["wall_ns"], quarantines[1]["wall_ns"]);
  EXPECT_EQ(node().ward({"quarantine", "kill", id}).status, 0);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  node().remove(id);
}

TEST_F(Enforcement, AnExecSessionIsDeniedAndNeverCostsTheWorkloadItsLife) {
  const std::string id = start_watched("quarantine");
  const Output output =
      node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "attack", "unshare", "mkdir"});
  EXPECT_EQ(output.out, "unshare -1 1\nmkdir -1 1\n") << output.err;
  EXPECT_EQ(node().task_status(id), "RUNNING");
  const Json event = await_violation(id);
  EXPECT_EQ(event["origin"], "exec");
  EXPECT_EQ(event["exec_id"], "e1");
  EXPECT_EQ(event["action"], "deny");
  node().remove(id);
}

// Its listener had arrived when its program was not found: the next session of that id has one of
// its own.
TEST_F(Enforcement, I4_TheIdOfASessionThatNeverRanIsSupervisedAgain) {
  const std::string id = start_watched("quarantine");
  EXPECT_NE(node().ctr({"task", "exec", "--exec-id", "e1", id, "/no-such-program"}).status, 0);
  node().ctr({"task", "delete", "--exec-id", "e1", id});  // ctr does not, where the start failed
  const Output output =
      node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "attack", "unshare", "mkdir"});
  EXPECT_EQ(output.out, "unshare -1 1\nmkdir -1 1\n") << output.err;
  EXPECT_EQ(await_violation(id)["exec_id"], "e1");
  node().remove(id);
}

TEST_F(Enforcement, I4_WhatAnExecSessionLeavesBehindIsSupervisedLikeTheSession) {
  const std::string id = start_watched("quarantine");
  // The orphan's execve asks first, and its unshare is a violation: both need the listener after
  // the session's process.
  const Output output = node().ctr(
      {"task", "exec", "--exec-id", "e1", id, "/box", "orphan", "/box", "attack", "unshare"});
  EXPECT_EQ(output.out, "unshare -1 1\n") << output.err;
  const Json event = await_violation(id);
  EXPECT_EQ(event["syscall"], "unshare");
  EXPECT_EQ(event["origin"], "exec");
  EXPECT_EQ(event["exec_id"], "e1");
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().remove(id);
}

TEST_F(Enforcement, I4_AFloodIsCountedWholeAndTheContainerStaysAnswerable) {
  const std::string id = node().unique("deny");
  const Output output = run_box(id, {"/box", "flood", "20000"});
  EXPECT_EQ(output.out, "flooded 20000\n") << output.err;
  const auto counted = [&] {
    std::uint64_t sum = 0;
    for (const Json& event : events(id))
      sum +=
          1 + event["repeats"].get<std::uint64_t>() + event["dropped_before"].get<std::uint64_t>();
    return sum;
  };
  EXPECT_TRUE(await([&] { return counted() >= 20000; }, std::chrono::seconds(10))) << counted();
  EXPECT_LT(events(id).size(), 2000U) << "detail is capped";
}

TEST_F(Enforcement, AMissingProfileRefusesTheStartAndSaysSo) {
  const std::string id = node().unique("refuse");
  const Output output = run_box(id, {"/box", "true"});
  EXPECT_NE(output.status, 0);
  EXPECT_THAT(output.err, HasSubstr("nowhere"));
  node().ctr({"container", "delete", id});
}

TEST_F(Enforcement, TheBaselineStandsInForAMissingProfile) {
  const Output output = run_box(node().unique("baseline"), {"/box", "attack", "unshare", "novel"});
  EXPECT_EQ(output.out, "unshare -1 1\nnovel -1 14\n") << output.err;
}

TEST_F(Enforcement, ModeOffAndUnmatchedContainersAreLeftAlone) {
  for (const char* prefix : {"off", "unmatched"}) {
    const Output output = run_box(node().unique(prefix), {"/box", "status"});
    EXPECT_THAT(output.out, HasSubstr("Seccomp:\t0\n")) << prefix;
  }
}

TEST_F(Enforcement, I10_PrivilegedAndSandboxContainersAreLeftAloneUnlessNamed) {
  const std::vector<std::string> sandbox{"--annotation",
                                         "io.kubernetes.cri.container-type=sandbox"};
  EXPECT_THAT(run_box(node().unique("deny"), {"/box", "status"}, {"--privileged"}).out,
              HasSubstr("Seccomp:\t0\n"));
  EXPECT_THAT(run_box(node().unique("deny"), {"/box", "status"}, sandbox).out,
              HasSubstr("Seccomp:\t0\n"));
  EXPECT_THAT(run_box(node().unique("named"), {"/box", "status"}, {"--privileged"}).out,
              HasSubstr("Seccomp:\t2\n"));
  EXPECT_THAT(run_box(node().unique("named"), {"/box", "status"}, sandbox).out,
              HasSubstr("Seccomp:\t2\n"));
}

TEST_F(Enforcement, I10_PsSaysWhyAContainerThatAPolicyWouldGovernIsLeftAlone) {
  const std::string id = node().unique("deny");
  ASSERT_EQ(node().ctr(run_arguments(id, {"-d", "--privileged"}, {"/box", "wait"})).status, 0);
  ASSERT_TRUE(await([&] { return !row(id).is_null(); }));
  EXPECT_EQ(row(id)["mode"], "off");
  EXPECT_THAT(row(id)["note"].get<std::string>(), HasSubstr("left alone: privileged"));
  node().remove(id);
}

TEST_F(Enforcement, AnAnnotationCannotLoosen) {
  const Output output = run_box(node().unique("deny"), {"/box", "attack", "novel"},
                                {"--annotation", "ward.dev/mode=off"});
  EXPECT_EQ(output.out, "novel -1 1\n") << output.err;
}

TEST_F(Enforcement, AKillAfterItsTimeInQuarantineIsAnEvent) {
  const fs::path config = node().config() / "wardd.yaml";
  const auto generation = [] { return ward_json({"status"})["index_generation"]; };
  const Json before = generation();
  std::ofstream(config) << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\n"
                           "quarantine: {ttl: 1s}\n";
  EXPECT_TRUE(await([&] { return generation() != before; }));
  const std::string id = start_watched("quarantine");
  node().poke(id, "novel");
  std::vector<Json> killed;
  EXPECT_TRUE(await([&] { return !(killed = events(id, "killed")).empty(); }))
      << node().ward({"events", "-c", id}).out;
  ASSERT_EQ(killed.size(), 1U);
  EXPECT_EQ(killed[0]["reason"], "its time in quarantine is over");
  EXPECT_EQ(killed[0]["outcome"], "killed");
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  // A wardd that starts hears of it again.
  node().stop_wardd(SIGTERM);
  node().start_wardd();
  EXPECT_TRUE(await([&] { return row(id).is_object(); }));
  EXPECT_EQ(events(id, "killed").size(), 1U);
  node().remove(id);
  fs::remove(config);
}

TEST_F(Enforcement, I9_ABadProfileChangesNothingAndIsNamedWithItsPosition) {
  node().write_profile(
      "box",
      "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: box, version: 2}\nspec:\n  "
      "syscalls:\n    serving: [reed]\n");
  std::string problems;
  EXPECT_TRUE(await([&] {
    return (problems = ward_json({"status"})["problems"].dump()).find("box.yaml:6:") !=
           std::string::npos;
  })) << problems;
  EXPECT_THAT(problems, HasSubstr("read"));
  const Output output = run_box(node().unique("deny"), {"/box", "attack", "novel"});
  EXPECT_EQ(output.out, "novel -1 1\n") << "the last good profile is in force: " << output.err;
  node().write_profile("box", box_profile());
  EXPECT_TRUE(await([&] {
    return ward_json({"status"})["problems"].dump().find("box.yaml") == std::string::npos;
  }));
}

TEST_F(Enforcement, I9_ACompiledProfileOfAnotherDigestStopsTheStartUntilItIsRepaired) {
  ASSERT_EQ(run_box(node().unique("deny"), {"/box", "true"}).status, 0);
  std::vector<fs::path> damaged;
  for (const auto& entry : fs::directory_iterator(node().state() / "compiled"))
    if (entry.path().extension() == ".profile") damaged.push_back(entry.path());
  for (const fs::path& path : damaged) std::ofstream(path, std::ios::app) << "x";
  const std::string id = node().unique("deny");
  const Output refused = run_box(id, {"/box", "true"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("damaged"));
  EXPECT_THAT(refused.err, HasSubstr(".profile")) << "it names the file";
  node().ctr({"container", "delete", id});
  signal_process(node().wardd_pid(), SIGHUP);
  Output repaired;
  EXPECT_TRUE(await(
      [&] {
        return (repaired = run_box(node().unique("deny"), {"/box", "true"})).status == 0;
      },
      std::chrono::seconds(10)))
      << repaired.err;
}

TEST_F(Enforcement, I9_ApplyRefusesABadFileAndChangesNothing) {
  const fs::path file = node().directory() / "bad.yaml";
  std::ofstream(file) << "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: box, "
                         "version: 9}\nspec:\n  sycalls: {}\n";
  const Json before = ward_json({"profile", "list"});
  const Output output = node().ward({"profile", "apply", file.string()});
  EXPECT_NE(output.status, 0);
  EXPECT_THAT(output.err, HasSubstr("bad.yaml:5:3"));
  EXPECT_THAT(output.err, HasSubstr("syscalls"));
  EXPECT_EQ(ward_json({"profile", "list"}), before);
}

}  // namespace
}  // namespace ward::test
