// SPDX-License-Identifier: Apache-2.0
// Specifications that a tenant wrote: filters that are costly to read, annotations of any text and
// size, impossible error numbers. The stock runtime says what is right, where it starts them.
#include <chrono>
#include <fstream>

#include "lib/base/fault.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Clock = std::chrono::steady_clock;

class HostileSpec : public GuardedTest {
 protected:
  static Json rule(const std::string& syscall, const std::string& action) {
    return {{"names", {syscall}}, {"action", action}};
  }
  static Json filter(const std::string& default_action, const Json& rules) {
    return {{"defaultAction", default_action},
            {"architectures", {"SCMP_ARCH_X86_64"}},
            {"syscalls", rules}};
  }
  static std::vector<std::string> flags_of(const Json& own) {
    const std::string file = node().directory() / (node().unique("filter") + ".json");
    std::ofstream(file) << own.dump();
    return {"--seccomp", "--seccomp-profile", file};
  }
  static Output run_as(const char* runtime, const std::string& id, std::vector<std::string> flags,
                       const std::vector<std::string>& command) {
    flags.insert(flags.begin(), {"run", "--rm", "--runtime", runtime});
    flags.insert(flags.end(), {kBoxImage, id});
    flags.insert(flags.end(), command.begin(), command.end());
    return node().ctr(flags);
  }
  static std::vector<std::string> in_pod(const std::string& pod, const char* type,
                                         std::vector<std::string> flags) {
    flags.insert(flags.end(),
                 {"--annotation", std::string("io.kubernetes.cri.container-type=") + type,
                  "--annotation", "io.kubernetes.cri.sandbox-id=" + pod});
    return flags;
  }
};

TEST_F(HostileSpec, H07_ErrorNumbersOfAnOwnFilterAreThoseOfTheStockRuntime) {
  struct Row {
    const char* attack;
    const char* syscall;
    std::int64_t number;  // -1: none is given
    const char* action = "SCMP_ACT_ERRNO";
  };
  const Row rows[] = {{"mkdir", "mkdir", 0},
                      {"keyctl", "keyctl", 1},
                      {"mount", "mount", 38},
                      {"unshare", "unshare", 512},
                      {"setns", "setns", 513},
                      {"ptrace", "ptrace", 514},
                      {"perf", "perf_event_open", 516},
                      {"novel", "sched_rr_get_interval", 530},
                      {"bpf", "bpf", 4094},
                      {"personality", "personality", 65536},
                      {"userfaultfd", "userfaultfd", 65536 + 38},
                      {"handle", "open_by_handle_at", 0x80000001},
                      {"module", "init_module", -1},
                      {"kexec", "kexec_load", -1, "SCMP_ACT_TRACE"},
                      {"process_vm", "process_vm_readv", 4294967295, "SCMP_ACT_TRACE"}};
  Json rules = Json::array();
  std::vector<std::string> command{"/box", "attack"};
  for (const Row& row : rows) {
    rules.push_back(rule(row.syscall, row.action));
    if (row.number >= 0) rules.back()["errnoRet"] = row.number;
    command.emplace_back(row.attack);
  }
  const auto flags = flags_of(filter("SCMP_ACT_ALLOW", rules));
  const Output stock = run_as(kRuncRuntime, node().unique("stock"), flags, command);
  const Output ours = run_as(kWardRuntime, node().unique("deny"), flags, command);
  EXPECT_THAT(stock.out, HasSubstr("mkdir 0 0\n")) << stock.err;
  EXPECT_THAT(stock.out, HasSubstr("unshare -1 512\n"));
  EXPECT_EQ(ours.out, stock.out) << ours.err;
  EXPECT_EQ(ours.status, stock.status);
}

TEST_F(HostileSpec, H07_WhatTheStockRuntimeDoesNotLoadIsRefusedWithTheReason) {
  for (const std::int64_t number : {4095LL, 4096LL, 4294967295LL}) {
    Json rules = Json::array({rule("getpid", "SCMP_ACT_ALLOW"), rule("mkdir", "SCMP_ACT_ERRNO")});
    rules[1]["errnoRet"] = number;
    const auto flags = flags_of(filter("SCMP_ACT_ALLOW", rules));
    EXPECT_NE(
        run_as(kRuncRuntime, node().unique("stock"), flags, {"/box", "attack", "mkdir"}).status, 0)
        << number;
    const Output ours =
        run_as(kWardRuntime, node().unique("deny"), flags, {"/box", "attack", "mkdir"});
    EXPECT_NE(ours.status, 0) << ours.out;
    EXPECT_THAT(ours.err, HasSubstr("syscalls[1].errnoRet")) << number;
  }
}

// error(107): what the compiler of own filters says where it did not get the processor.
TEST_F(HostileSpec, ABusyNodeRefusesNobodyBecauseOfItsOwnFilter) {
  if (!fault::kEnabled) GTEST_SKIP() << "this build has no fault points (WARD_FAULTS)";
  const auto faults = node().directory() / "faults";
  const auto flags =
      flags_of(filter("SCMP_ACT_ALLOW", Json::array({rule("quotactl", "SCMP_ACT_LOG")})));
  const auto start = [&](const char* times) {
    std::ofstream(faults) << "own-filter.compile=error(107)" << times << "\n";
    const Output output = run_box(node().unique("deny"), {"/box", "true"}, flags);
    EXPECT_TRUE(std::filesystem::remove(faults.string() + ".fired")) << output.err;
    std::filesystem::remove(faults);
    return output;
  };
  const Output never = start("");
  EXPECT_NE(never.status, 0) << "it does not try for ever";
  const Output late = start("*5");
  EXPECT_EQ(late.status, 0) << late.err;
}

TEST_F(HostileSpec, H04_AnnotationsOfAnyTextAndSizeLetTheContainerAndItsSessionsStart) {
  const std::string texts[] = {std::string(20, '['), std::string(5000, '{') + "\\\"",
                               std::string(70'000, 'a'), std::string(100'000, '}'),
                               std::string(90'000, '<') + "\x01\xE2\x80\xA8\""};
  std::vector<std::string> flags{"-d"};
  for (const std::string& text : texts) {
    flags.insert(flags.end(),
                 {"--annotation", "note-" + std::to_string(flags.size()) + "=" + text});
  }
  const std::string id = node().unique("deny");
  const Output started = node().ctr(run_arguments(id, flags, {"/box", "wait"}));
  ASSERT_EQ(started.status, 0) << started.err.substr(0, 1000);
  const Output session =
      node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "attack", "novel"});
  EXPECT_EQ(session.out, "novel -1 1\n") << session.err.substr(0, 1000);
  node().remove(id);
}

TEST_F(HostileSpec, H04_AStartWhoseListenerIsRefusedFailsAtOnceAndSaysWhy) {
  if (!fault::kEnabled) GTEST_SKIP() << "this build has no fault points (WARD_FAULTS)";
  const auto faults = node().directory() / "faults";
  std::ofstream(faults) << "listener.arrived=error(EMFILE)\n";
  const Output refused = run_box(node().unique("deny"), {"/box", "wait"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("listener was refused"));
  EXPECT_THAT(refused.err, HasSubstr("Too many open files"));
  EXPECT_THAT(refused.err, Not(HasSubstr("no seccomp listener came")))
      << "it does not wait for another";
  std::filesystem::remove(faults);
  std::filesystem::remove(faults.string() + ".fired");
}

TEST_F(HostileSpec, H03_ANameThatIsNoneIsRefusedWithTheReason) {
  const Output refused =
      run_box(node().unique("deny"), {"/box", "true"},
              {"--annotation", "io.kubernetes.cri.image-name=" + std::string(70'000, 'a')});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("the name of the image has 70000 bytes"));
}

// The shim has one thread for all containers of a pod.
TEST_F(HostileSpec, I5_H03_AMonstrousFilterOfOneContainerDelaysNoAnswerToItsSibling) {
  const std::string pod = node().unique("pod");
  const std::string quiet = node().unique("deny");
  for (const auto& [id, type] : {std::pair(pod, "sandbox"), std::pair(quiet, "container")}) {
    ASSERT_EQ(node().ctr(run_arguments(id, in_pod(pod, type, {"-d"}), {"/box", "wait"})).status, 0);
  }
  int session = 0;
  const auto denied_call = [&] {
    const auto before = Clock::now();
    const std::string exec_id = "e" + std::to_string(session++);
    EXPECT_EQ(
        node().ctr({"task", "exec", "--exec-id", exec_id, quiet, "/box", "attack", "novel"}).out,
        "novel -1 1\n");
    return Clock::now() - before;
  };
  const auto undisturbed = denied_call();
  Json crowd = Json::array();
  for (int i = 0; i < 8000; ++i) {
    crowd.push_back(rule("ioctl", "SCMP_ACT_ERRNO"));
    crowd.back()["args"] = {{{"index", 1}, {"value", 100'000 + i * 7}, {"op", "SCMP_CMP_EQ"}}};
  }
  Json six = Json::array();
  for (int i = 0; i < 10; ++i) {
    six.push_back(rule("prctl", "SCMP_ACT_ERRNO"));
    six.back()["args"] = {{{"index", i % 6}, {"value", i * 7919}, {"op", "SCMP_CMP_NE"}},
                          {{"index", (i + 1) % 6}, {"value", i * 7919}, {"op", "SCMP_CMP_EQ"}}};
  }
  for (const Json& rules : {crowd, six}) {
    const std::string id = node().unique("deny");
    Child monster(
        node().ctr_command(run_arguments(id,
                                         in_pod(pod, "container",
                                                {"-d", "--seccomp", "--seccomp-profile",
                                                 flags_of(filter("SCMP_ACT_ALLOW", rules))[2]}),
                                         {"/box", "wait"})),
        node().environment());
    for (int i = 0; i < 3; ++i) EXPECT_LT(denied_call() - undisturbed, std::chrono::seconds(1));
    // Whether libseccomp makes a program of it in time depends on the machine.
    const auto ended = monster.wait(std::chrono::seconds(20));
    ASSERT_TRUE(ended.has_value()) << "neither started nor refused";
    if (*ended != 0) {
      EXPECT_THAT(
          monster.err(),
          HasSubstr("the container's own seccomp profile: libseccomp makes no program of it"));
    }
    node().remove(id);
  }
  for (const std::string& id : {quiet, pod}) node().remove(id);
}

}  // namespace
}  // namespace ward::test
