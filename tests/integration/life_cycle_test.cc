// SPDX-License-Identifier: Apache-2.0
// What `ctr` and containerd expect of any runtime.
#include <algorithm>
#include <csignal>

#include "tests/integration/node_test_base.h"

namespace ward::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LifeCycle : public RuntimeTest {};

TEST_P(LifeCycle, ExitCodeReachesTheCaller) {
  for (const int code : {0, 1, 7, 255}) {
    const Output output =
        run_box(node().unique("exit"), {"--rm"}, {"/box", "exit", std::to_string(code)});
    EXPECT_EQ(output.status, code) << output.err;
  }
}

TEST_P(LifeCycle, DeathBySignalIs128PlusTheSignal) {
  EXPECT_EQ(run_box(node().unique("crash"), {"--rm"}, {"/box", "crash"}).status, 128 + SIGILL);
}

TEST_P(LifeCycle, OutputAndErrorsStayApart) {
  const Output output = run_box(node().unique("err"), {"--rm"}, {"/box", "err"});
  EXPECT_EQ(output.out, "to stdout\n");
  EXPECT_EQ(output.err, "to stderr\n");
}

TEST_P(LifeCycle, OutputWrittenJustBeforeTheExitIsNotLost) {
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(run_box(node().unique("last"), {"--rm"}, {"/box", "echo", "last", "words"}).out,
              "last words\n");
}

TEST_P(LifeCycle, ALargeInputPassesThroughWhole) {
  const std::string input(300'000, 'x');
  Child child(node().ctr_command(run_arguments(node().unique("cat"), {"--rm"}, {"/box", "cat"})),
              node().environment());
  for (std::size_t at = 0; at < input.size(); at += 30'000) {
    child.write(std::string_view(input).substr(at, 30'000));
    ASSERT_TRUE(child.await_size(at + 30'000));
  }
  child.close_input();  // the container must see the end of its input: CloseIO
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(child.out(), input);
}

TEST_P(LifeCycle, EventsComeInContractOrder) {
  Events events(node());
  const std::string id = node().unique("order");
  EXPECT_EQ(run_box(id, {"--rm"}, {"/box", "true"}).status, 0);
  EXPECT_THAT(events.await(id, "delete"), ElementsAre("create", "start", "exit", "delete"));
}

TEST_P(LifeCycle, ExecEventsLieBetweenStartAndExit) {
  Events events(node());
  const std::string id = start_box("exec-order", {"/box", "wait"});
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "exit", "3"}).status, 3);
  node().remove(id);
  EXPECT_THAT(events.await(id, "delete"), ElementsAre("create", "start", "exec-added",
                                                      "exec-started", "exit", "exit", "delete"));
}

TEST_P(LifeCycle, TheInitExitIsReportedAfterItsExecs) {
  Events events(node());
  const std::string id = start_box("init-last", {"/box", "wait"});
  Child exec(node().ctr_command({"task", "exec", "--exec-id", "e1", id, "/box", "wait"}),
             node().environment());
  ASSERT_TRUE(exec.await_output("ready"));
  node().ctr({"task", "kill", "-s", "KILL", id});
  EXPECT_EQ(exec.wait(), 137);
  node().remove(id);
  events.await(id, "delete");
  const std::size_t exec_exit = events.text().find("\"container_id\":\"" + id + "\",\"id\":\"e1\""),
                    init_exit =
                        events.text().find("\"container_id\":\"" + id + "\",\"id\":\"" + id + "\"");
  EXPECT_NE(exec_exit, std::string::npos);
  EXPECT_LT(exec_exit, init_exit) << events.text();
}

TEST_P(LifeCycle, ExecHasItsOwnStdioAndExitCode) {
  const std::string id = start_box("exec", {"/box", "wait"});
  const Output exec = node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "err"});
  EXPECT_EQ(exec.out, "to stdout\n");
  EXPECT_EQ(exec.err, "to stderr\n");
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e2", id, "/box", "cat"}, "through\n").out,
            "through\n");
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e2", id, "/box", "exit", "9"}).status, 9)
      << "an exec id is free again after its exec";
  node().remove(id);
}

TEST_P(LifeCycle, AFailingExecSaysWhyAndLeavesTheContainerAlone) {
  const std::string id = start_box("bad-exec", {"/box", "wait"});
  const Output exec = node().ctr({"task", "exec", "--exec-id", "e1", id, "nothere"});
  EXPECT_NE(exec.status, 0);
  EXPECT_THAT(exec.err, testing::ContainsRegex("executable file.* not found"));
  EXPECT_EQ(node().task_status(id), "RUNNING");
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "true"}).status, 0);
  node().remove(id);
}

TEST_P(LifeCycle, AFailingCreateSaysWhyAndLeavesNothing) {
  const std::string id = node().unique("bad");
  const Output output = run_box(id, {}, {"nothere"});
  EXPECT_NE(output.status, 0);
  EXPECT_THAT(output.err, testing::ContainsRegex("executable file.* not found"));
  node().ctr({"container", "delete", id});
  EXPECT_TRUE(await(
      [&] { return node().shim_pid(id) == -1 && !std::filesystem::exists(node().bundle(id)); }));
  EXPECT_TRUE(await([&] { return !std::filesystem::exists(node().shim_socket(id)); }));
}

TEST_P(LifeCycle, ATerminalIsATerminal) {
  Child child(
      node().ctr_command(run_arguments(node().unique("tty"), {"--rm", "-t"}, {"/box", "tty"})),
      node().environment(true));
  EXPECT_TRUE(child.await_output("terminal\r")) << child.out();
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(child.out().find("no terminal"), std::string::npos);
}

TEST_P(LifeCycle, ATerminalEchoesAndControlDIsItsEnd) {
  Child child(
      node().ctr_command(run_arguments(node().unique("tty-cat"), {"--rm", "-t"}, {"/box", "ask"})),
      node().environment(true));
  ASSERT_TRUE(child.await_output("ready")) << child.out();
  child.write("hello\n");
  ASSERT_TRUE(child.await_output("hello\r"))
      << child.out();  // the echo of the container's terminal
  EXPECT_TRUE(child.await_output("hello\r", child.out().find("hello\r") + 1))
      << "cat: " << child.out();
  child.write("\x04");
  EXPECT_EQ(child.wait(), 0) << child.out();
}

TEST_P(LifeCycle, ExecOnATerminal) {
  const std::string id = start_box("exec-tty", {"/box", "wait"});
  Child child(node().ctr_command({"task", "exec", "-t", "--exec-id", "e1", id, "/box", "tty"}),
              node().environment(true));
  EXPECT_TRUE(child.await_output("terminal\r")) << child.out();
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(child.out().find("no terminal"), std::string::npos);
  node().remove(id);
}

TEST_P(LifeCycle, AttachShowsWhatComesNext) {
  const std::string id = start_box("attach", {"/box", "tick", "0"});
  Child attached(node().ctr_command({"task", "attach", id}), node().environment());
  EXPECT_TRUE(attached.await_output("tick ")) << attached.err();
  node().ctr({"task", "kill", "-s", "KILL", id});
  EXPECT_EQ(attached.wait(), 137);
  node().remove(id);
}

TEST_P(LifeCycle, ASignalReachesTheProcess) {
  const std::string id = node().unique("term");
  Child child(node().ctr_command(run_arguments(id, {"--rm"}, {"/box", "wait"})),
              node().environment());
  ASSERT_TRUE(child.await_output("ready")) << child.err();
  EXPECT_EQ(node().ctr({"task", "kill", "-s", "TERM", id}).status, 0);
  EXPECT_EQ(child.wait(), 42) << child.err();
}

TEST_P(LifeCycle, KillOfAStoppedContainerIsNotFound) {
  const std::string id = start_box("killed", {"/box", "wait"});
  EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", id}).status, 0);
  ASSERT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  const Output again = node().ctr({"task", "kill", "-s", "KILL", id});
  EXPECT_NE(again.status, 0);
  // containerd 2 leaves out the name of the code.
  EXPECT_THAT(again.err,
              testing::AnyOf(HasSubstr("not found"), HasSubstr("process already finished")));
  const Output deleted = node().ctr({"task", "delete", id});
  EXPECT_EQ(deleted.status, 0) << deleted.err;
  node().remove(id);
}

TEST_P(LifeCycle, PauseStopsAndResumeContinues) {
  Events events(node());
  const std::string id = start_box("pause", {"/box", "tick", "0"});
  EXPECT_EQ(node().ctr({"task", "pause", id}).status, 0);
  EXPECT_EQ(node().task_status(id), "PAUSED");
  EXPECT_NE(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "true"}).status, 0)
      << "no exec in a paused container";
  EXPECT_EQ(node().ctr({"task", "resume", id}).status, 0);
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().remove(id);
  EXPECT_THAT(events.await(id, "delete"),
              ElementsAre("create", "start", "paused", "resumed", "exit", "delete"));
}

TEST_P(LifeCycle, PsListsEveryProcessOnce) {
  const std::string id = node().unique("ps");
  Child child(node().ctr_command(run_arguments(id, {"--rm"}, {"/box", "crowd", "3"})),
              node().environment());
  ASSERT_TRUE(child.await_output("ready"));
  const Output ps = node().ctr({"task", "ps", id});
  EXPECT_EQ(std::count(ps.out.begin(), ps.out.end(), '\n'), 1 + 4) << ps.out;
  node().ctr({"task", "kill", "-s", "KILL", id});
  EXPECT_EQ(child.wait(), 137);
}

TEST_P(LifeCycle, AGrandchildThatHoldsTheOutputDoesNotHoldTheExit) {
  Child child(
      node().ctr_command(run_arguments(node().unique("held"), {"--rm"}, {"/box", "holder"})),
      node().environment());
  EXPECT_EQ(child.wait(std::chrono::seconds(15)), 0);
  EXPECT_EQ(child.out(), "held\n");
}

TEST_P(LifeCycle, AForkStormLosesNoExit) {
  EXPECT_EQ(run_box(node().unique("storm"), {"--rm"}, {"/box", "fork", "500"}).out, "forked 500\n");
}

INSTANTIATE_TEST_SUITE_P(Runtime, LifeCycle, testing::ValuesIn(runtimes()), runtime_name);

}  // namespace
}  // namespace ward::test
