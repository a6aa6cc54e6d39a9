// SPDX-License-Identifier: Apache-2.0
// The shim as a process: signals of people, how it leaves, and that it leaves where nobody needs
// it.
#include <csignal>
#include <fstream>

#include "lib/base/fault.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }

class ShimProcess : public TaskApiTest {
 protected:
  [[nodiscard]] pid_t shim() const { return node().shim_pid(carrier_); }
};

TEST_F(ShimProcess, TellsHowItIsOnSigusr1AndLivesOn) {
  const pid_t pid = shim();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(signal_process(pid, SIGUSR1));
  EXPECT_TRUE(await(
      [] { return node().log_of("containerd").find("asked by SIGUSR1") != std::string::npos; }));
  EXPECT_THAT(node().log_of("containerd"), HasSubstr("containers=\"1\""));
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
  EXPECT_EQ(shim(), pid);
  EXPECT_EQ(node().task_status(carrier_), "RUNNING");
}

TEST_F(ShimProcess, LeavesOnSigtermWithoutItsSocketAndTheContainersStay) {
  const pid_t pid = shim(), container = node().task_pid(carrier_);
  const fs::path socket = node().shim_socket(carrier_);
  ASSERT_TRUE(fs::exists(socket));
  // Or it would clear up at once, and the container with the rest.
  node().stop_containerd(SIGKILL);
  ASSERT_TRUE(signal_process(pid, SIGTERM));
  EXPECT_TRUE(await([&] { return !is_alive(pid); }));
  EXPECT_FALSE(fs::exists(socket));
  EXPECT_TRUE(is_alive(container));
  node().start_containerd();
  EXPECT_TRUE(await([&] { return !is_alive(container); }))
      << "containerd clears up after its return";
}

TEST_F(ShimProcess, RefusesACreateOnceItIsLeaving) {
  const Bundle& bundle = make_bundle("too-late", {"/box", "wait"});
  // The events of the end have nobody to go to, and the shim waits a moment before it drops them.
  node().stop_containerd(SIGKILL);
  ASSERT_TRUE(tasks_->kill(carrier_, SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait(carrier_).has_value());
  ASSERT_TRUE(tasks_->remove(carrier_).has_value());
  containerd::ShutdownRequest request;
  request.set_id(carrier_);
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Shutdown", request).has_value());
  const auto created = create(bundle.create_request());
  EXPECT_EQ(code_of(created), Code::kUnavailable);
  EXPECT_THAT(message_of(created), HasSubstr("shutting down"));
  node().start_containerd();
}

TEST_F(ShimProcess, LeavesWhereNobodyComesAfterItsStart) {
  if (!fault::kEnabled) GTEST_SKIP() << "this build waits for a minute (WARD_FAULTS)";
  const std::string id = node().unique("deserted");
  const fs::path bundle = node().directory() / id, socket = node().shim_socket(id);
  fs::create_directory(bundle);
  std::ofstream(bundle / "config.json") << "{}";
  Child::Options options = node().environment();
  options.environment.emplace_back("WARD_DESERTED_AFTER_MS=300");
  const Output started =
      run({"sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", bundle.string(),
           shim_binary().string(), "-namespace", node().containerd_namespace(), "-address",
           node().containerd_socket().string(), "-id", id, "start"},
          options);
  ASSERT_EQ(started.status, 0) << started.err;
  EXPECT_EQ(started.out, "unix://" + socket.string());
  EXPECT_TRUE(await([&] { return !fs::exists(socket) && node().shim_pid(id) == -1; }));
  EXPECT_EQ(node().task_status(carrier_), "RUNNING");
}

}  // namespace
}  // namespace ward::test
