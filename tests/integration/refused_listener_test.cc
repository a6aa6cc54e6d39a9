// SPDX-License-Identifier: Apache-2.0
// A runtime whose listener the shim cannot take: its start fails with the reason, and both the
// runtime and the init that waits for it die. From runc 1.2 on the init waits in a call that its
// own filter asks about, and would wait for ever.
#include <csignal>
#include <fstream>
#include <optional>
#include <sstream>

#include "lib/base/file.h"
#include "tests/integration/guarded_test_base.h"
#include "tests/integration/robustness_test_base.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Some for the runtime's streams and its pid file, and then none for its listener.
constexpr int kMostSpare = 24;
constexpr int kMostSessions = 256;
constexpr std::chrono::seconds kHangs{15};

class RefusedListener : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    carrier_ = start_watched("deny");
    shim_ = node().shim_pid(carrier_);
    ASSERT_GT(shim_, 0);
    tasks_ = std::make_unique<TaskClient>(node().shim_socket(carrier_));
    // A build with UBSan opens something when it meets a type for the first time.
    const Bundle first(node(), carrier_, node().unique("deny"), {"/box", "wait"});
    EXPECT_TRUE(tasks_->call<containerd::CreateTaskResponse>("Create", first.create_request()));
    end(first.id());
    EXPECT_TRUE(run_session("warm"));
  }
  void TearDown() override {
    tasks_.reset();
    node().remove(carrier_);
  }

  void end(const std::string& id) {
    EXPECT_TRUE(tasks_->kill(id, SIGKILL));
    EXPECT_TRUE(tasks_->wait(id));
    EXPECT_TRUE(tasks_->remove(id));
  }
  Result<void> run_session(const std::string& session,
                           const std::vector<std::string>& command = {"/box", "true"}) {
    if (auto added = tasks_->exec(carrier_, session, command); !added)
      return tl::unexpected(added.error());
    if (auto started = tasks_->start(carrier_, session); !started) {
      EXPECT_TRUE(tasks_->remove(carrier_, session));
      return tl::unexpected(started.error());
    }
    EXPECT_TRUE(tasks_->wait(carrier_, session));
    EXPECT_TRUE(tasks_->remove(carrier_, session));
    return {};
  }

  // A container's inits, and the runtimes that the shim made.
  [[nodiscard]] std::string runtimes() const {
    std::string found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const auto stat = read_file(entry.path() / "stat").value_or("");
      if (stat.find("(runc") == std::string::npos && stat.find("(exe)") == std::string::npos)
        continue;
      const std::string environment = read_file(entry.path() / "environ").value_or("");
      const std::string arguments = read_file(entry.path() / "cmdline").value_or("");
      const bool ours = environment.find(node().directory().string()) != std::string::npos ||
                        arguments.find(node().containerd_namespace()) != std::string::npos;
      std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 2, stat.size())));
      char state = 0;
      pid_t parent = 0;
      fields >> state >> parent;
      if (ours || parent == shim_) found += stat.substr(0, 40) + "\n";
    }
    return found;
  }

  std::string carrier_;
  pid_t shim_ = -1;
  std::unique_ptr<TaskClient> tasks_;
};

// Short of one at each step in turn. The limit is inherited, so the runtime itself is short of one
// before its listener comes; the refusal of the listener alone is the third test's.
TEST_F(RefusedListener, F18_ACreateWithoutADescriptorForItFailsWithTheReasonAndNothingWaitsOn) {
  for (int spare = 0; spare <= kMostSpare; ++spare) {
    // Each in a bundle of its own, as containerd does: admission has rewritten the first.
    const std::vector<std::string> command{"/box", "wait"};
    const auto create = [&](const Bundle& bundle) {
      return tasks_->call<containerd::CreateTaskResponse>("Create", bundle.create_request());
    };
    const Bundle first(node(), carrier_, node().unique("deny"), command);
    std::optional<Bundle> second;
    std::string id = first.id();
    const auto begin = Clock::now();
    Result<containerd::CreateTaskResponse> created;
    {
      const SpareDescriptors few(shim_, spare);
      created = create(first);
    }
    EXPECT_LT(Clock::now() - begin, kHangs) << spare;
    if (!created) {
      EXPECT_THAT(created.error().message, HasSubstr("oo many open files")) << spare;
      EXPECT_TRUE(await([&] { return runtimes().empty(); }, std::chrono::seconds(5)))
          << spare << ": " << runtimes();
      second.emplace(node(), carrier_, node().unique("deny"), command);
      id = second->id();
      created = create(*second);
    }
    ASSERT_TRUE(created) << spare << " to spare, and then enough: " << created.error().message;
    end(id);
  }
}

TEST_F(RefusedListener, F18_AnExecWithoutADescriptorForItFailsWithTheReasonAndNothingWaitsOn) {
  for (int spare = 0; spare <= kMostSpare; ++spare) {
    const std::string session = "e" + std::to_string(spare);
    const auto begin = Clock::now();
    Result<void> ran;
    {
      const SpareDescriptors few(shim_, spare);
      ran = run_session(session);
    }
    EXPECT_LT(Clock::now() - begin, kHangs) << spare;
    if (!ran) {
      EXPECT_THAT(ran.error().message, HasSubstr("oo many open files")) << spare;
      EXPECT_TRUE(await([&] { return runtimes().empty(); }, std::chrono::seconds(5)))
          << spare << ": " << runtimes();
    }
    EXPECT_TRUE(run_session(session)) << spare;
  }
}

// Each session leaves a process behind, and with it its listener.
TEST_F(RefusedListener, F18_OneSessionTooManyWithProcessesLeftBehindFailsWithTheReason) {
  int left = 0;
  Result<void> ran;
  for (; left <= kMostSessions; ++left) {
    ran = run_session("left" + std::to_string(left), {"/box", "entry", "/trigger", "/box", "true"});
    if (!ran) break;
  }
  EXPECT_EQ(left, kMostSessions - 1) << "the container's own listener is one of them";
  ASSERT_FALSE(ran);
  EXPECT_THAT(ran.error().message,
              HasSubstr("256 exec sessions of this container have left processes behind"));
  EXPECT_TRUE(await([&] { return runtimes().empty(); }, std::chrono::seconds(5))) << runtimes();
  const auto begin = Clock::now();
  EXPECT_FALSE(run_session("one more"));
  EXPECT_LT(Clock::now() - begin, kHangs);
}

}  // namespace
}  // namespace ward::test
