// SPDX-License-Identifier: Apache-2.0
// One shim answers for all containers of a pod: what one of them does, or wardd does not do, must
// not delay the others.
#include <chrono>
#include <csignal>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using Clock = std::chrono::steady_clock;

class Promptness : public GuardedTest {
 protected:
  static void start_in_pod(const std::string& id, const std::string& pod, const char* type) {
    const std::vector<std::string> flags{"-d", "--annotation",
                                         std::string("io.kubernetes.cri.container-type=") + type,
                                         "--annotation", "io.kubernetes.cri.sandbox-id=" + pod};
    const Output started = node().ctr(run_arguments(id, flags, {"/box", "wait"}));
    ASSERT_EQ(started.status, 0) << started.err;
  }
  static Clock::duration denied_call(const std::string& id, const std::string& exec_id) {
    const auto before = Clock::now();
    EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", exec_id, id, "/box", "attack", "novel"}).out,
              "novel -1 1\n");
    return Clock::now() - before;
  }
};

TEST_F(Promptness, I5_NeitherAFloodInThePodNorAStoppedWarddDelaysAnAnswer) {
  const std::string pod = node().unique("pod");
  const std::string noisy = node().unique("deny");
  const std::string quiet = node().unique("deny");
  start_in_pod(pod, pod, "sandbox");
  for (const std::string& id : {noisy, quiet}) start_in_pod(id, pod, "container");
  ASSERT_EQ(node().shim_pid(quiet), -1) << "they share the shim of the pod";
  const auto undisturbed = denied_call(quiet, "e0");
  const Output flood =
      node().ctr({"task", "exec", "-d", "--exec-id", "f", noisy, "/box", "flood", "2000000000"});
  ASSERT_EQ(flood.status, 0) << flood.err;
  signal_process(node().wardd_pid(), SIGSTOP);
  for (int i = 1; i <= 5; ++i) {
    const auto disturbed = denied_call(quiet, "e" + std::to_string(i));
    EXPECT_LT(disturbed - undisturbed, std::chrono::seconds(1));
  }
  signal_process(node().wardd_pid(), SIGCONT);
  for (const std::string& id : {quiet, noisy, pod}) node().remove(id);
}

}  // namespace
}  // namespace ward::test
