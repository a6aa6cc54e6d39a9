// SPDX-License-Identifier: Apache-2.0
// Pods while containerd is killed and started again. WARD_TEST_LONG=1 asks for a hundred of them.
#include <csignal>
#include <cstdlib>

#include "lib/base/file.h"
#include "tests/integration/cri_test_base.h"
#include "tests/integration/remains.h"
#include "tests/support/stream_client.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;

int number_of_pods() {
  const char* wanted = std::getenv("WARD_TEST_LONG");
  return wanted != nullptr && *wanted == '1' ? 100 : 10;
}

class CriRestart : public CriTest {
 protected:
  // Whatever happens to containerd; -1 where there is none.
  static pid_t init_pid(const std::string& container) {
    return std::atoi(read_file(node().bundle(container) / "init.pid").value_or("-1").c_str());
  }
  static void await_ready(const Pod& pod, const std::string& name) {
    EXPECT_TRUE(await([&] { return log_of(pod, name).find("ready") != std::string::npos; }))
        << name;
  }
  static void end(pid_t pid, int signal) {
    EXPECT_TRUE(signal_process(pid, signal));
    EXPECT_TRUE(await([&] { return !fs::exists("/proc/" + std::to_string(pid)); }))
        << pid << " is not reaped";
  }
  static cri::ContainerState state_of(const std::string& container) {
    return client().container_status(container).value_or(cri::ContainerStatus()).state();
  }
  static cri::PodSandboxState state_of(const Pod& pod) {
    const auto status = client().pod_status(pod.id);
    EXPECT_TRUE(status) << status.error().message;
    return status ? status->state() : cri::SANDBOX_NOTREADY;
  }
  static void remove(const Pod& pod) {
    const auto stopped = client().stop_pod(pod.id);
    EXPECT_TRUE(stopped) << stopped.error().message;
    const auto removed = client().remove_pod(pod.id);
    EXPECT_TRUE(removed) << removed.error().message;
  }
};

TEST_P(CriRestart, LogsAttachAndStopGoOnAndAnEndMeanwhileIsTold) {
  const Pod pod = start_pod("restart");
  const std::string ticking = start(pod, "ticking", {"/box", "tick", "0"});
  const std::string polite = start(pod, "polite", {"/box", "wait"});
  const std::string ended = start(pod, "ended", {"/box", "wait"});
  const std::string killed = start(pod, "killed", {"/box", "wait"});
  for (const char* name : {"polite", "ended", "killed"}) await_ready(pod, name);
  node().stop_containerd(SIGKILL);
  end(init_pid(ended), SIGTERM);
  end(init_pid(killed), SIGKILL);
  start_containerd();

  EXPECT_EQ(await_exit(ended).exit_code(), 42);
  EXPECT_EQ(await_exit(killed).exit_code(), 137);
  EXPECT_EQ(state_of(ticking), cri::CONTAINER_RUNNING);
  const std::size_t before = log_of(pod, "ticking").size();
  EXPECT_TRUE(await([&] { return log_of(pod, "ticking").size() > before; }))
      << "nobody reads the container's output";
  const auto url = client().attach_url(ticking, {});
  ASSERT_TRUE(url) << url.error().message;
  auto attached = StreamClient::open(*node().network(), *url, {});
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_TRUE(attached->await_output("tick "));
  ASSERT_TRUE(client().stop_container(polite, std::chrono::seconds(20)));
  EXPECT_EQ(client().container_status(polite)->exit_code(), 42);
  remove(pod);
  expect_no_remains(node(), "after the pod");
}

TEST_P(CriRestart, ManyPodsAreAsTheyWereAndLeaveNothing) {
  struct Member {
    Pod pod;
    std::string container;
    bool container_ends, sandbox_ends;
    std::string socket;
  };
  std::vector<Member> members;
  for (int i = 0; i < number_of_pods(); ++i) {
    Pod pod = start_pod("many" + std::to_string(i));
    std::string container = start(pod, "main", {"/box", "wait"});
    std::string socket = node().shim_socket(pod.id);
    members.push_back(
        {std::move(pod), std::move(container), i % 2 == 1, i % 4 == 1, std::move(socket)});
  }
  for (const Member& member : members) await_ready(member.pod, "main");
  node().stop_containerd(SIGKILL);
  for (const Member& member : members) {
    if (member.container_ends) end(init_pid(member.container), SIGTERM);
    if (member.sandbox_ends) end(init_pid(member.pod.id), SIGKILL);
  }
  start_containerd(std::chrono::seconds(30 + number_of_pods()));

  for (const Member& member : members) {
    if (member.container_ends) {
      EXPECT_EQ(await_exit(member.container).exit_code(), 42);
    } else {
      EXPECT_EQ(state_of(member.container), cri::CONTAINER_RUNNING);
      EXPECT_EQ(exec(member.container, {"/box", "true"}).exit_code(), 0);
    }
    const auto expected = member.sandbox_ends ? cri::SANDBOX_NOTREADY : cri::SANDBOX_READY;
    EXPECT_TRUE(await([&] { return state_of(member.pod) == expected; })) << member.pod.id;
  }
  for (const Member& member : members) {
    remove(member.pod);
    for (const std::string& id : {member.pod.id, member.container}) {
      EXPECT_FALSE(fs::exists(node().bundle(id)));
      EXPECT_FALSE(fs::exists("/run/containerd/runc/k8s.io/" + id));
    }
  }
  EXPECT_THAT(client().pods().value_or(std::vector<std::string>{"no answer"}), testing::IsEmpty());
  expect_no_remains(node(), "after all pods");
  for (const Member& member : members) EXPECT_FALSE(fs::exists(member.socket)) << member.socket;
}

INSTANTIATE_TEST_SUITE_P(Handler, CriRestart, testing::ValuesIn(plain_handlers()), handler_name);

}  // namespace
}  // namespace ward::test
