// SPDX-License-Identifier: Apache-2.0
// Calls that the container's own filter refuses: containerd's default filter, as `ctr run
// --seccomp` gives it.
#include <sys/syscall.h>

#include <fstream>
#include <sstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class Refused : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    std::string listing = box_profile();
    listing.replace(listing.find("name: box"), 9, "name: listing");
    listing += "  refused: [get_mempolicy, keyctl]\n";
    node().write_profile("listing", listing);
    // Read before the policy of the others, so that its rules come first.
    node().write_policy("acting", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: acting}
spec:
  rules:
    - {match: {containers: ["quarantine-act-*"]}, mode: enforce, profile: box, onViolation: {refused: act}}
    - {match: {containers: ["quarantine-listing-*"]}, mode: enforce, profile: listing}
    - {match: {containers: ["numa-*"]}, mode: enforce, profile: numa, workload: numa, missing: learn}
    - {match: {containers: ["keys-*"]}, mode: enforce, profile: keys, workload: keys, missing: learn}
    - {match: {containers: ["bound-*"]}, mode: enforce, profile: bound, workload: bound, missing: learn}
)");
    node().import_image("probing");
    await([] { return node().ward({"profile", "list"}).out.find("listing") != std::string::npos; });
  }

  static std::uint64_t told(const std::vector<Json>& events) {
    std::uint64_t all = 0;
    for (const Json& event : events) all += 1 + std::stoull(event.value("repeats", Json(0)).dump());
    return all;
  }

  static std::vector<std::string> refusing(const std::vector<std::string>& calls) {
    const Json rule = {{"names", calls}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", 1}};
    const Json filter = {{"defaultAction", "SCMP_ACT_ALLOW"},
                         {"architectures", {"SCMP_ARCH_X86_64"}},
                         {"syscalls", {rule}}};
    const std::string file = node().directory() / (node().unique("filter") + ".json");
    std::ofstream(file) << filter.dump();
    return {"--seccomp", "--seccomp-profile", file};
  }

  // Three lives in mode learn, a profile made of them and put in force.
  static void learn(const std::vector<std::string>& command,
                    const std::vector<std::string>& flags) {
    for (int run = 0; run < 3; ++run)
      EXPECT_EQ(run_box(node().unique("learn"), command, flags).status, 0);
    await([] { return ward_json({"learn", "show", "learned"})["runs"].size() >= 3; });
  }
  static std::string generate_and_apply(const std::string& workload = "learned") {
    const std::string file = (node().directory() / (workload + ".yaml")).string();
    const Output generated = node().ward({"profile", "generate", workload, "-o", file});
    EXPECT_EQ(generated.status, 0) << generated.err;
    const Output applied = node().ward({"profile", "apply", file});
    EXPECT_EQ(applied.status, 0) << applied.err;
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }

  // Programs of Debian packages, under containerd's default filter.
  static std::vector<std::string> probing(const std::string& id, std::vector<std::string> flags,
                                          const std::vector<std::string>& command) {
    flags.insert(flags.begin(), {"run", "--runtime", kWardRuntime, "--seccomp"});
    flags.insert(flags.end(), {"docker.io/ward/probing:demo", id});
    flags.insert(flags.end(), command.begin(), command.end());
    return flags;
  }
  // Learned three times, a profile made of it and put in force, and then the same again. What the
  // last one printed.
  static std::string learn_and_repeat(const std::string& workload,
                                      const std::vector<std::string>& command,
                                      const std::string& refused) {
    Output learned;
    for (int run = 0; run < 3; ++run)
      learned = node().ctr(probing(node().unique(workload), {"--rm"}, command));
    await([&] { return ward_json({"learn", "show", workload})["runs"].size() >= 3; });
    EXPECT_THAT(generate_and_apply(workload), HasSubstr(refused));
    const std::string id = node().unique(workload);
    const Output again = node().ctr(probing(id, {"--rm"}, command));
    EXPECT_EQ(again.status, learned.status) << again.err;
    EXPECT_EQ(again.out, learned.out);
    EXPECT_EQ(again.err, learned.err);
    EXPECT_TRUE(events(id).empty()) << events(id).front();
    return again.out + again.err;
  }
  // The watcher at the trigger has opened it, and the container's own program waits.
  static bool watches(const std::string& id) {
    bool watching = false;
    const std::string init = std::to_string(node().task_pid(id));
    std::ifstream children("/proc/" + init + "/task/" + init + "/children");
    for (std::string pid; children >> pid;) {
      std::error_code error;
      for (const auto& fd : std::filesystem::directory_iterator("/proc/" + pid + "/fd", error)) {
        watching = watching || std::filesystem::read_symlink(fd.path(), error) == "/trigger";
      }
    }
    std::ifstream call("/proc/" + init + "/syscall");
    std::string number;
    call >> number;
    return watching && number == std::to_string(SYS_pause);
  }
  static bool cannot_record() {
    const std::string recorder = ward_json({"status"})["recorder"];
    return recorder.find("none") == 0;
  }

  static std::string state(const std::string& id) { return row(id).value("state", ""); }
};

TEST_F(Refused, F01_GetsItsOwnFiltersAnswerOneRecordAndNothingElse) {
  for (const char* prefix : {"quarantine", "kill", "deny", "supervise"}) {
    const std::string id = node().unique(prefix);
    const Output output =
        run_box(id, {"/box", "attack", "mempolicy", "quotactl", "mempolicy"}, {"--seccomp"});
    EXPECT_EQ(output.out, "mempolicy -1 1\nquotactl -1 1\nmempolicy -1 1\n") << output.err;
    EXPECT_EQ(output.status, 0) << prefix;
    await([&] { return told(events(id)) >= 3; });
    const auto seen = events(id);
    EXPECT_EQ(told(seen), 3U) << prefix;
    ASSERT_GE(seen.size(), 2U);
    EXPECT_EQ(seen[0]["outcome"], "refused");
    EXPECT_EQ(seen[0]["action"], "log");
    EXPECT_THAT(seen[0]["reason"].dump(),
                HasSubstr("get_mempolicy is not in profile box, and the container's own "
                          "seccomp profile refuses it: nothing more is done"));
  }
}

TEST_F(Refused, F01_ALoopOfThemIsNotSlowedWithoutBoundAndMakesOneRecord) {
  const std::string id = node().unique("quarantine");
  std::vector<std::string> command{"/box", "attack"};
  command.insert(command.end(), 3000, "quotactl");
  const Output output = run_box(id, command, {"--seccomp"});
  EXPECT_EQ(output.status, 0) << output.err;
  await([&] { return told(events(id)) >= 3000; });
  const auto seen = events(id);
  EXPECT_EQ(told(seen), 3000U);
  EXPECT_EQ(seen.size(), 2U) << "the first, and at the end how many more there were";
}

TEST_F(Refused, F01_AnAttackUnderContainerdsDefaultFilterEndsInQuarantine) {
  for (const char* attack : {"unshare", "keyctl", "io_uring", "clone-ns", "userfaultfd"}) {
    const std::string id = node().unique("quarantine");
    const Output started = node().ctr(
        run_arguments(id, {"-d", "--seccomp"}, {"/box", "entry", "/trigger", "/box", "wait"}));
    ASSERT_EQ(started.status, 0) << started.err;
    node().poke(id, attack);
    EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; })) << attack;
    EXPECT_EQ(await_violation(id)["action"], "quarantine") << attack;
    node().remove(id);
  }
}

TEST_F(Refused, F01_OnlyWhatIsListedIsNobodysBusiness) {
  const std::string id = node().unique("quarantine-listing");
  const Output output =
      run_box(id, {"/box", "attack", "mempolicy", "keyctl", "quotactl"}, {"--seccomp"});
  EXPECT_EQ(output.out, "mempolicy -1 1\nkeyctl -1 1\nquotactl -1 1\n") << output.err;
  const Json only = await_violation(id);
  EXPECT_EQ(only["syscall"], "quotactl");
  EXPECT_EQ(events(id).size(), 1U);
}

TEST_F(Refused, F01_I2_ListingOpensNothingWhereTheOwnFilterDoesNotRefuse) {
  const std::string id = node().unique("quarantine-listing");
  const Output started =
      node().ctr(run_arguments(id, {"-d"}, {"/box", "entry", "/trigger", "/box", "wait"}));
  ASSERT_EQ(started.status, 0) << started.err;
  node().poke(id, "keyctl");
  EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; }));
  node().remove(id);
}

TEST_F(Refused, F01_ThePolicyMayHaveThemActedUpon) {
  const std::string id = node().unique("quarantine-act");
  const Output started = node().ctr(
      run_arguments(id, {"-d", "--seccomp"}, {"/box", "entry", "/trigger", "/box", "wait"}));
  ASSERT_EQ(started.status, 0) << started.err;
  node().poke(id, "quotactl");
  EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; }));
  node().remove(id);
}

TEST_F(Refused, F01_WhatLearningSawRefusedIsNoViolationAndWhatItDidNotSeeIs) {
  if (cannot_record()) GTEST_SKIP() << "this machine cannot record";
  const auto flags = refusing({"io_uring_setup", "get_mempolicy", "quotactl", "keyctl", "unshare"});
  const std::vector<std::string> probing = {"/box", "attack", "io_uring", "mempolicy"};
  learn(probing, flags);
  const std::string shown = node().ward({"learn", "show", "learned"}).out;
  EXPECT_THAT(shown, HasSubstr("Tried, and refused by the container's own filter"));
  const Json refused = ward_json({"learn", "show", "learned"})["refused"];
  ASSERT_EQ(refused.size(), 2U) << refused;
  for (const Json& call : refused) EXPECT_EQ(call["runs"], 3) << call;
  EXPECT_THAT(generate_and_apply(),
              HasSubstr("  refused: [\n    get_mempolicy,\n    io_uring_setup]\n"));

  const std::string calm = node().unique("learn");
  const Output again = run_box(calm, probing, flags);
  EXPECT_EQ(again.out, "io_uring -1 1\nmempolicy -1 1\n") << again.err;
  EXPECT_TRUE(events(calm).empty());
  const std::string other = node().unique("learn");
  EXPECT_EQ(run_box(other, {"/box", "attack", "mempolicy", "quotactl"}, flags).status, 0);
  EXPECT_EQ(await_violation(other)["outcome"], "refused");
  for (const char* attack : {"unshare", "keyctl"}) {
    const std::string id = node().unique("learn");
    std::vector<std::string> detached = flags;
    detached.emplace_back("-d");
    const Output started =
        node().ctr(run_arguments(id, detached, {"/box", "attack", "io_uring", attack}));
    ASSERT_EQ(started.status, 0) << started.err;
    EXPECT_EQ(await_violation(id)["action"], "quarantine") << attack;
    EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; })) << attack;
    node().remove(id);
  }
}

TEST_F(Refused, F01_NumactlOfDebianIsLearnedAndEnforcedUnderContainerdsDefaultFilter) {
  if (cannot_record()) GTEST_SKIP() << "this machine cannot record";
  const std::string said =
      learn_and_repeat("numa", {"/usr/bin/numactl", "--show"}, "get_mempolicy");
  EXPECT_THAT(said, HasSubstr("physcpubind"));
}

TEST_F(Refused, F01_AProgramThatAsksForKeysIsLearnedAndEnforcedThoughTheyAreOfTheDangerSet) {
  if (cannot_record()) GTEST_SKIP() << "this machine cannot record";
  learn_and_repeat("keys", {"/bin/keyctl", "show"}, "refused: [\n    keyctl]\n");
  const std::string id = node().unique("keys");
  // Not the call that was learned, but one of its family.
  EXPECT_NE(node().ctr(probing(id, {"-d"}, {"/bin/keyctl", "add", "user", "a", "b", "@u"})).status,
            -1);
  const Json event = await_violation(id);
  EXPECT_EQ(event["syscall"], "add_key") << event;
  EXPECT_EQ(event["action"], "quarantine") << event;
  node().remove(id);
}

TEST_F(Refused, F01_AnAttackerInWhatNumactlStartedEndsInQuarantine) {
  if (cannot_record()) GTEST_SKIP() << "this machine cannot record";
  const std::vector<std::string> command = {
      "/usr/bin/numactl", "--physcpubind=0", "/box", "entry", "/trigger", "/box", "wait"};
  for (int run = 0; run < 3; ++run) {
    const std::string id = node().unique("bound");
    const Output started = node().ctr(probing(id, {"-d"}, command));
    ASSERT_EQ(started.status, 0) << started.err;
    // Whoever waits at the trigger has opened it: the fork is behind it.
    EXPECT_TRUE(await([&] { return watches(id); }));
    node().remove(id);
  }
  await([] { return ward_json({"learn", "show", "bound"})["runs"].size() >= 3; });
  generate_and_apply("bound");
  for (const char* attack : {"unshare", "keyctl", "io_uring"}) {
    const std::string id = node().unique("bound");
    const Output started = node().ctr(probing(id, {"-d"}, command));
    ASSERT_EQ(started.status, 0) << started.err;
    EXPECT_TRUE(await([&] { return watches(id); }));
    EXPECT_EQ(state(id), "RUNNING");
    node().poke(id, attack);
    EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; })) << attack;
    const Json event = await_violation(id);
    EXPECT_EQ(event["action"], "quarantine") << event;
    EXPECT_EQ(event["syscall"], attack == std::string("io_uring") ? "io_uring_setup" : attack)
        << event;
    node().remove(id);
  }
}

}  // namespace
}  // namespace ward::test
