// SPDX-License-Identifier: Apache-2.0
// SIGKILL ends what is frozen, whoever froze it: somebody else on this node, or a pause that is not
// over yet.
#include <algorithm>
#include <csignal>
#include <fstream>

#include "lib/linux/cgroup.h"
#include "tests/integration/task_api_base.h"
#include "tests/support/await_cgroup.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;

class FrozenKill : public TaskApiTest {
 protected:
  pid_t pid_of(const std::string& id) { return static_cast<pid_t>(tasks_->state(id)->pid()); }
  // The runtime's init has become the program. A v1 freezer does not get hold of a process with
  // threads that is about to.
  static bool runs_program(pid_t pid) {
    return await([pid] {
      return read_file("/proc/" + std::to_string(pid) + "/cmdline")
          .value_or("")
          .starts_with("/box");
    });
  }
  static std::vector<Cgroup*> all(TaskCgroups& cgroups) {
    std::vector<Cgroup*> found;
    for (auto* cgroup : {&cgroups.freezer, &cgroups.unified}) {
      if (*cgroup) found.push_back(&**cgroup);
    }
    return found;
  }
  static bool is_frozen(TaskCgroups& cgroups) {
    const auto each = all(cgroups);
    return std::any_of(each.begin(), each.end(),
                       [](Cgroup* c) { return c->is_frozen().value_or(false); });
  }
  void add_session(const std::string& id) {
    ASSERT_TRUE(tasks_->exec(id, "e1", {"/box", "wait"}).has_value());
    const auto started = tasks_->start(id, "e1");
    ASSERT_TRUE(started.has_value()) << message_of(started);
    ASSERT_TRUE(runs_program(static_cast<pid_t>(started->pid())));
  }
};

TEST_F(FrozenKill, EndsAContainerThatSomebodyElseFroze) {
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string id = start_box("outside-" + std::to_string(i)).id();
    ASSERT_TRUE(runs_program(pid_of(id)));
    auto cgroups = open_cgroups_of(pid_of(id));
    ASSERT_TRUE(cgroups.has_value()) << message_of(cgroups);
    const auto each = all(*cgroups);
    if (i >= each.size()) break;
    ASSERT_TRUE(each[i]->request_freeze(true).has_value());
    ASSERT_TRUE(await_frozen(*each[i]));
    ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());
    const auto ended = tasks_->wait(id);
    ASSERT_TRUE(ended.has_value()) << message_of(ended);
    EXPECT_EQ(ended->exit_status(), 137U);
  }
}

TEST_F(FrozenKill, OfASessionEndsItAloneAndTheOthersStayFrozen) {
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string id = start_box("session-" + std::to_string(i)).id();
    ASSERT_TRUE(runs_program(pid_of(id)));
    ASSERT_NO_FATAL_FAILURE(add_session(id));
    auto cgroups = open_cgroups_of(pid_of(id));
    ASSERT_TRUE(cgroups.has_value()) << message_of(cgroups);
    const auto each = all(*cgroups);
    if (i >= each.size()) break;
    ASSERT_TRUE(each[i]->request_freeze(true).has_value());
    ASSERT_TRUE(await_frozen(*each[i]));
    ASSERT_TRUE(tasks_->kill(id, SIGKILL, "e1").has_value());
    const auto ended = tasks_->wait(id, "e1");
    ASSERT_TRUE(ended.has_value()) << message_of(ended);
    EXPECT_EQ(ended->exit_status(), 137U);
    EXPECT_TRUE(*each[i]->is_frozen()) << "a session's end thaws nobody";
  }
}

TEST_F(FrozenKill, OfASessionOfAPausedContainerLeavesItPaused) {
  const std::string id = start_box("paused").id();
  ASSERT_TRUE(runs_program(pid_of(id)));
  ASSERT_NO_FATAL_FAILURE(add_session(id));
  containerd::PauseRequest request;
  request.set_id(id);
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Pause", request).has_value());
  auto cgroups = open_cgroups_of(pid_of(id));
  ASSERT_TRUE(cgroups.has_value()) << message_of(cgroups);
  ASSERT_TRUE(tasks_->kill(id, SIGKILL, "e1").has_value());
  ASSERT_TRUE(tasks_->wait(id, "e1").has_value());
  EXPECT_EQ(status(id), containerd::STATUS_PAUSED);
  EXPECT_TRUE(is_frozen(*cgroups));
  ASSERT_TRUE(tasks_->call<containerd::Empty>("Resume", request).has_value());
  EXPECT_EQ(status(id), containerd::STATUS_RUNNING);
}

TEST_F(FrozenKill, WhileAPauseIsNotOverEndsWhatTheRuntimeFroze) {
  const Bundle& bundle = make_bundle("half-paused", {"/box", "wait"});
  const fs::path runtime = bundle.path() / "slow-runtime", held = bundle.path() / "held";
  const fs::path froze = bundle.path() / "froze";
  // One that dies in the middle of its pause would fail, and be over.
  std::ofstream(runtime) << "#!/bin/sh\nrunc \"$@\" || exit $?\n"
                         << "for word; do [ $word = pause ] && : >'" << froze.string()
                         << "' && read go <'" << held.string() << "'; done\nexit 0\n";
  fs::permissions(runtime, fs::perms::owner_all);
  ASSERT_EQ(::mkfifo(held.c_str(), 0600), 0);
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("half-paused").has_value());
  ASSERT_TRUE(runs_program(pid_of("half-paused")));
  auto cgroups = open_cgroups_of(pid_of("half-paused"));
  ASSERT_TRUE(cgroups.has_value()) << message_of(cgroups);
  containerd::PauseRequest pause;
  pause.set_id("half-paused");
  bool answered = false;
  tasks_->begin("Pause", pause, "v2", [&](const Result<std::string>&) { answered = true; });
  ASSERT_TRUE(await([&] {
    return fs::exists(froze) && status("half-paused") == containerd::STATUS_PAUSING &&
           is_frozen(*cgroups);
  }));
  ASSERT_TRUE(tasks_->kill("half-paused", SIGKILL).has_value());
  const auto ended = tasks_->wait("half-paused");
  ASSERT_TRUE(ended.has_value()) << message_of(ended);
  EXPECT_EQ(ended->exit_status(), 137U);
  EXPECT_FALSE(answered) << "nobody waited for the pause";
  // Open for reading, too: where nobody reads, the test must not wait for ever.
  std::fstream gate(held, std::ios::in | std::ios::out);
  gate << "go\n" << std::flush;
  EXPECT_TRUE(tasks_->run_until([&] { return answered; }));
  EXPECT_EQ(status("half-paused"), containerd::STATUS_STOPPED);
}

}  // namespace
}  // namespace ward::test
