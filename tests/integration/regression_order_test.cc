// SPDX-License-Identifier: Apache-2.0
// Bugs that other shims had, each with its number in docs/shim-contract.md. What is said there of a
// bug must not come true here. This file: ends of processes, and the order in which they are told
// (Bug01 to Bug08).
#include <map>

#include "lib/linux/process_info.h"
#include "tests/integration/regression_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A runtime that comes back from one verb only when the process that it made has ended and was
// waited for. `create` makes one that would wait for its start: it is killed.
std::string make_late_runtime(const fs::path& directory, const std::string& late) {
  const auto path = directory / "late-runtime";
  std::ofstream(path)
      << "#!/bin/sh\nfor word; do\n  [ \"$last\" = --pid-file ] && file=$word\n  [ \"$word\" = "
      << late << " ] && verb=$word\n  last=$word\ndone\n[ -n \"$verb\" ] || exec runc \"$@\"\n"
      << "runc \"$@\" || exit\nread pid <\"$file\"\n[ $verb = create ] && kill -KILL $pid\n"
      << "while [ -d /proc/$pid ]; do sleep 0.01; done\n";
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

TEST_F(Regression, Bug01_TheInitsEndIsToldAfterThoseOfItsSessionsAndNoNewOneStarts) {
  Events events(node());
  const Bundle& bundle = make_bundle("bug01", {"/box", "wait"});
  bundle.patch(kHostPidNamespace);
  const auto runtime = make_recording_runtime(bundle.path(), "kill");
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("bug01").has_value());
  std::vector<std::string> order;
  for (const char* exec_id : {"e1", "e2", "e3"}) {
    ASSERT_TRUE(tasks_->exec("bug01", exec_id, {"/box", "wait"}).has_value());
    ASSERT_TRUE(tasks_->start("bug01", exec_id).has_value());
    wait_begin("bug01", exec_id,
               [&order](const Result<std::string>&) { order.emplace_back("exec"); });
  }
  ASSERT_TRUE(tasks_->exec("bug01", "late", {"/box", "true"}).has_value());
  wait_begin("bug01", "", [&order](const Result<std::string>&) { order.emplace_back("init"); });
  ASSERT_TRUE(signal_process(static_cast<pid_t>(tasks_->state("bug01")->pid()), SIGKILL));
  // The init has ended, and what would end its sessions does not get on.
  ASSERT_TRUE(await(
      [&] { return !verbs(bundle.path()).empty() && verbs(bundle.path()).back() == "kill"; }));
  const auto late = tasks_->start("bug01", "late");
  EXPECT_EQ(code_of(late), Code::kFailedPrecondition);
  EXPECT_THAT(message_of(late), HasSubstr("init process is not running"));
  EXPECT_EQ(status("bug01", "e1"), containerd::STATUS_RUNNING);
  EXPECT_THAT(order, IsEmpty()) << "the init's end is held back";
  EXPECT_THAT(ends_of(events, "bug01"), IsEmpty());
  std::ofstream(bundle.path() / "held") << "go\n";
  ASSERT_TRUE(tasks_->run_until([&] { return order.size() == 4; }));
  EXPECT_THAT(order, ElementsAre("exec", "exec", "exec", "init"));
  EXPECT_EQ(tasks_->remove("bug01")->exit_status(), 137U);
  events.await("bug01", "delete");
  const auto ends = ends_of(events, "bug01");
  ASSERT_EQ(ends.size(), 4U) << events.text();
  EXPECT_EQ(ends.back(), "bug01") << events.text();
}

// Of a container without a PID namespace of its own. `kill --all` freezes what it ends, and
// `delete` refuses what is paused, so they must not meet.
TEST_F(Regression, TheDeleteWaitsForTheEndOfAllProcesses) {
  const Bundle& bundle = make_bundle("all-first", {"/box", "wait"});
  bundle.patch(kHostPidNamespace);
  const auto runtime = make_recording_runtime(bundle.path(), "kill");
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("all-first").has_value());
  ASSERT_TRUE(signal_process(static_cast<pid_t>(tasks_->state("all-first")->pid()), SIGKILL));
  const auto last_verb = [&] {
    const auto seen = verbs(bundle.path());
    return seen.empty() ? std::string() : seen.back();
  };
  ASSERT_TRUE(await([&] { return last_verb() == "kill"; }));
  containerd::DeleteRequest request;
  request.set_id("all-first");
  bool answered = false;
  tasks_->begin("Delete", request, "v2", [&](const Result<std::string>& answer) {
    EXPECT_TRUE(answer.has_value()) << message_of(answer);
    answered = true;
  });
  // Long enough for a runtime to be run and to answer.
  EXPECT_EQ(live("meanwhile", {"/box", "true"}), 0);
  EXPECT_TRUE(tasks_->state("all-first").has_value());
  EXPECT_FALSE(answered);
  EXPECT_EQ(last_verb(), "kill");
  std::ofstream(bundle.path() / "held") << "go\n";
  ASSERT_TRUE(tasks_->run_until([&] { return answered; }));
  EXPECT_EQ(last_verb(), "delete");
}

TEST_F(Regression, Bug02_AnEndBeforeThePidIsKnownIsNotLost) {
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(live("bug02-" + std::to_string(i), {"/box", "exit", "7"}), 7) << i;
  // Killed while it was only created.
  const std::string id = create_box("bug02-created").id();
  const auto created = tasks_->state(id);
  ASSERT_TRUE(created.has_value());
  ASSERT_TRUE(signal_process(static_cast<pid_t>(created->pid()), SIGKILL));
  EXPECT_TRUE(await([&] { return status(id) == containerd::STATUS_STOPPED; }));
  EXPECT_FALSE(tasks_->start(id).has_value());
  EXPECT_TRUE(tasks_->remove(id).has_value());
}

TEST_F(Regression, Bug02_AnExecThatIsOverBeforeItsRuntimeIsKeepsItsStatus) {
  Events events(node());
  const Bundle& bundle = make_bundle("bug02-exec", {"/box", "wait"});
  const auto runtime = make_late_runtime(bundle.path(), "exec");
  ASSERT_TRUE(create(with_runtime(bundle.create_request(), runtime)).has_value());
  ASSERT_TRUE(tasks_->start("bug02-exec").has_value());
  ASSERT_TRUE(tasks_->exec("bug02-exec", "e1", {"/box", "exit", "5"}).has_value());
  const auto started = tasks_->start("bug02-exec", "e1");
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_GT(started->pid(), 0U);
  EXPECT_EQ(tasks_->wait("bug02-exec", "e1")->exit_status(), 5U);
  EXPECT_EQ(tasks_->remove("bug02-exec", "e1")->exit_status(), 5U);
  EXPECT_THAT(events.await("bug02-exec", "exit"),
              ElementsAre("create", "start", "exec-added", "exec-started", "exit"));
}

TEST_F(Regression, Bug02_AnInitThatDiesBeforeItsCreateIsBackIsStoppedAfterIt) {
  Events events(node());
  const Bundle& bundle = make_bundle("bug02-init", {"/box", "wait"});
  const auto runtime = make_late_runtime(bundle.path(), "create");
  const auto created = create(with_runtime(bundle.create_request(), runtime));
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_EQ(tasks_->wait("bug02-init")->exit_status(), 137U);
  EXPECT_EQ(status("bug02-init"), containerd::STATUS_STOPPED);
  EXPECT_FALSE(tasks_->start("bug02-init").has_value());
  EXPECT_EQ(tasks_->remove("bug02-init")->exit_status(), 137U);
  EXPECT_THAT(events.await("bug02-init", "delete"), ElementsAre("create", "exit", "delete"));
}

TEST_F(Regression, Bug03_AForkStormLosesNoEnd) {
  const std::string id = start_box("bug03", {"/box", "fork", "400"}).id();
  std::map<std::string, bool> ended;
  for (int i = 0; i < 6; ++i) {
    const std::string exec_id = "storm-" + std::to_string(i);
    ASSERT_TRUE(tasks_->exec(carrier_, exec_id, {"/box", "fork", "200"}).has_value());
    start_begin(carrier_, exec_id, [&, exec_id](const Result<std::string>& started) {
      EXPECT_TRUE(started.has_value()) << message_of(started);
      wait_begin(carrier_, exec_id, [&, exec_id](const Result<std::string>& answer) {
        ended[exec_id] = answer.has_value();
      });
    });
  }
  EXPECT_TRUE(tasks_->run_until([&] { return ended.size() == 6; })) << ended.size();
  EXPECT_EQ(tasks_->wait(id)->exit_status(), 0U);
}

TEST_F(Regression, Bug04_EveryRuntimeHelperIsWaitedForThoughManyRunAtOnce) {
  int answered = 0;
  for (int i = 0; i < 12; ++i) {
    const std::string exec_id = "many-" + std::to_string(i);
    ASSERT_TRUE(
        tasks_->exec(carrier_, exec_id, {"/box", i % 3 == 0 ? "nothere" : "true"}).has_value());
    start_begin(carrier_, exec_id, [&answered](const Result<std::string>&) { ++answered; });
  }
  EXPECT_TRUE(tasks_->run_until([&] { return answered == 12; })) << answered;
  // And the shim has no child left that nobody waited for.
  EXPECT_TRUE(await([&] {
    const auto path =
        "/proc/" + std::to_string(shim()) + "/task/" + std::to_string(shim()) + "/children";
    std::istringstream children(read_file(path).value_or(""));
    int left = 0;
    for (pid_t pid = 0; children >> pid;) ++left;
    return left == 1;  // the container
  }));
}

TEST_F(Regression, Bug05_AnExecThatCannotRunEndsWithoutAnEventAndItsWaitReturns) {
  Events events(node());
  ASSERT_TRUE(tasks_->exec(carrier_, "bad", {"nothere"}).has_value());
  bool waited = false;
  wait_begin(carrier_, "bad", [&waited](const Result<std::string>&) { waited = true; });
  const auto started = tasks_->start(carrier_, "bad");
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error().message, HasSubstr("executable file not found"));
  EXPECT_TRUE(tasks_->run_until([&] { return waited; }));
  EXPECT_EQ(status(carrier_, "bad"), containerd::STATUS_CREATED)
      << "as with the stock shim: it never ran";
  EXPECT_FALSE(tasks_->wait(carrier_, "bad")->has_exited_at());
  EXPECT_TRUE(tasks_->remove(carrier_, "bad").has_value());
  // The next event shows that none is on its way.
  ASSERT_TRUE(tasks_->exec(carrier_, "good", {"/box", "true"}).has_value());
  ASSERT_TRUE(tasks_->start(carrier_, "good").has_value());
  EXPECT_THAT(events.await(carrier_, "exit"),
              ElementsAre("exec-added", "exec-added", "exec-started", "exit"));
}

TEST_F(Regression, Bug06_OneEndIsToldOnce) {
  Events events(node());
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(node().unique("bug06"));
    EXPECT_EQ(
        node()
            .ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, ids.back(), "/box", "true"})
            .status,
        0);
  }
  for (const auto& id : ids) {
    events.await(id, "delete");
    EXPECT_TRUE(await([&] { return node().shim_pid(id) == -1; }));
  }
  const std::string last = node().unique("bug06-last");
  node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, last, "/box", "true"});
  events.await(last, "delete");
  for (const auto& id : ids)
    EXPECT_THAT(events.of(id), ElementsAre("create", "start", "exit", "delete")) << id;
}

TEST_F(Regression, Bug07_InASharedPidNamespaceTheInitsEndEndsAllAndInAJoinedOneToo) {
  const std::string own = std::to_string(tasks_->state(carrier_)->pid());
  for (const auto& space :
       {std::string(), R"({"type":"pid","path":"/proc/)" + own + R"(/ns/pid"},)"}) {
    const std::string id = space.empty() ? "bug07-host" : "bug07-joined";
    const Bundle& bundle = make_bundle(id, {"/box", "crowd", "3"});
    bundle.patch(R"({"linux":{"namespaces":[)" + space +
                 R"({"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"}]}})");
    ASSERT_TRUE(create(bundle.create_request()).has_value());
    ASSERT_TRUE(tasks_->start(id).has_value());
    ASSERT_TRUE(tasks_->exec(id, "e1", {"/box", "wait"}).has_value());
    ASSERT_TRUE(tasks_->start(id, "e1").has_value());
    containerd::PidsRequest request;
    request.set_id(id);
    Result<containerd::PidsResponse> pids;
    ASSERT_TRUE(await([&] {
      pids = tasks_->call<containerd::PidsResponse>("Pids", request);
      return pids && pids->processes_size() == 5;
    }));
    ASSERT_TRUE(tasks_->kill(id, SIGKILL).has_value());  // the init alone
    EXPECT_EQ(tasks_->wait(id)->exit_status(), 137U);
    EXPECT_EQ(tasks_->wait(id, "e1")->exit_status(), 137U);
    for (const auto& process : pids->processes()) {
      // The init of a joined namespace is the one to wait for orphans there, and ours waits for
      // nobody.
      EXPECT_TRUE(await([&] {
        const auto stat = read_stat(static_cast<pid_t>(process.pid()));
        return !stat || stat->state == 'Z';
      }));
    }
  }
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING) << "whose pid namespace was joined";
}

TEST_F(Regression, Bug08_NoEventIsLostWhenTheShimShutsDown) {
  Events events(node());
  for (int i = 0; i < 5; ++i) {
    const std::string id = node().unique("bug08");
    node().ctr({"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "true"});
    EXPECT_THAT(events.await(id, "delete"), ElementsAre("create", "start", "exit", "delete"));
  }
}

}  // namespace
}  // namespace ward::test
