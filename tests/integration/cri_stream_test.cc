// SPDX-License-Identifier: Apache-2.0
// `kubectl exec -i`, `exec -it` and `attach`: sessions of CRI's streaming server.
#include <fcntl.h>
#include <sys/ioctl.h>

#include "tests/integration/cri_test_base.h"
#include "tests/support/stream_client.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class CriStreams : public CriTest {
 protected:
  static Result<StreamClient> exec_session(const std::string& container,
                                           const std::vector<std::string>& command,
                                           const Streams& streams = {}) {
    return session(client().exec_url(container, command, streams), streams);
  }
  static Result<StreamClient> attach(const std::string& container, const Streams& streams = {}) {
    return session(client().attach_url(container, streams), streams);
  }
  static Result<StreamClient> session(const Result<std::string>& url, const Streams& streams) {
    if (!url) return tl::unexpected(url.error());
    return StreamClient::open(*node().network(), *url, streams);
  }
  // The process of the one exec session that the container has.
  static pid_t session_pid(const std::string& container) {
    std::istringstream lines(node().ctr({"task", "ps", container}).out);
    std::string heading;
    std::getline(lines, heading);
    const pid_t init = node().task_pid(container);
    for (std::string line; std::getline(lines, line);)
      if (const pid_t pid = std::atoi(line.c_str()); pid != init) return pid;
    return -1;
  }
};

TEST_P(CriStreams, AnExecStreamsStdinOutAndErr) {
  const std::string id = start(start_pod("exec"), "main", {"/box", "wait"});
  auto cat = exec_session(id, {"/box", "cat"}, {.in = true});
  ASSERT_TRUE(cat) << cat.error().message;
  for (const char* line : {"first\n", "second\n"}) {
    cat->write(line);
    EXPECT_TRUE(cat->await_output(line)) << cat->out();
  }
  cat->close_input();
  auto code = cat->wait();
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(*code, 0);
  EXPECT_EQ(cat->out(), "first\nsecond\n");

  auto both = exec_session(id, {"/box", "err"});
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->wait().value_or(-1), 0);
  EXPECT_EQ(both->out(), "to stdout\n");
  EXPECT_EQ(both->err(), "to stderr\n");

  auto failing = exec_session(id, {"/box", "exit", "7"});
  ASSERT_TRUE(failing) << failing.error().message;
  code = failing->wait();
  EXPECT_EQ(code.value_or(-1), 7);
}

TEST_P(CriStreams, AnExecThatCannotStartSaysWhy) {
  const std::string id = start(start_pod("wrong"), "main", {"/box", "wait"});
  auto missing = exec_session(id, {"/nothere"});
  ASSERT_TRUE(missing) << missing.error().message;
  const auto code = missing->wait();
  ASSERT_FALSE(code) << *code;
  EXPECT_THAT(code.error().message, testing::ContainsRegex("[Nn]o such file or directory"));
}

TEST_P(CriStreams, AnExecHasATerminalOfTheSizeAskedFor) {
  const std::string id = start(start_pod("terminal"), "main", {"/box", "wait"});
  auto tells = exec_session(id, {"/box", "tty"}, {.terminal = true});
  ASSERT_TRUE(tells) << tells.error().message;
  EXPECT_EQ(tells->wait().value_or(-1), 0);
  EXPECT_EQ(tells->out(), "terminal\r\n");

  auto cat = exec_session(id, {"/box", "cat"}, {.in = true, .terminal = true});
  ASSERT_TRUE(cat) << cat.error().message;
  cat->write("echo\n");
  EXPECT_TRUE(cat->await_output("echo\r\necho\r\n"))
      << "the terminal's and the program's: " << cat->out();
  const std::string terminal = "/proc/" + std::to_string(session_pid(id)) + "/fd/0";
  UniqueFd tty(::open(terminal.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(tty) << terminal;
  for (const int columns : {132, 80}) {
    cat->resize(columns, 25);
    winsize size{};
    EXPECT_TRUE(await([&] {
      return ::ioctl(tty.get(), TIOCGWINSZ, &size) == 0 && size.ws_col == columns;
    })) << size.ws_col;
    EXPECT_EQ(size.ws_row, 25);
  }
  tty.reset();         // a terminal that anybody has open has no end
  cat->write("\x04");  // the end of input, to a terminal
  EXPECT_EQ(cat->wait().value_or(-1), 0);
}

TEST_P(CriStreams, AnAttachSeesWhatComesAndItsEndEndsNothing) {
  const Pod pod = start_pod("attach");
  const std::string id = start(pod, "main", {"/box", "tick", "0"});
  for (int round = 0; round < 2; ++round) {
    auto attached = attach(id);
    ASSERT_TRUE(attached) << attached.error().message;
    EXPECT_TRUE(attached->await_output("tick ")) << round;
  }  // the connection is dropped
  EXPECT_EQ(client().container_status(id)->state(), cri::CONTAINER_RUNNING);
  const std::size_t before = log_of(pod, "main").size();
  EXPECT_TRUE(await([&] { return log_of(pod, "main").size() > before; })) << "the log stands still";
}

TEST_P(CriStreams, AnAttachWritesToTheContainerAndSeesItsEnd) {
  const Pod pod = start_pod("input");
  cri::ContainerConfig config = container_config("main", {"/box", "cat"});
  config.set_stdin(true);
  config.set_stdin_once(true);
  const std::string id = start(pod, config);
  auto attached = attach(id, {.in = true});
  ASSERT_TRUE(attached) << attached.error().message;
  attached->write("hello\n");
  EXPECT_TRUE(attached->await_output("hello\n"));
  attached->close_input();
  EXPECT_EQ(await_exit(id).exit_code(), 0);
  EXPECT_EQ(attached->wait().value_or(-1), 0);
  EXPECT_THAT(log_of(pod, "main"), HasSubstr(" stdout F hello\n"));
}

TEST_P(CriStreams, AnAttachToAStoppedContainerIsRefused) {
  const std::string id = start(start_pod("stopped"), "main", {"/box", "wait"});
  const auto early = client().attach_url(id, {});
  ASSERT_TRUE(early) << early.error().message;
  ASSERT_TRUE(client().stop_container(id, std::chrono::seconds(0)));
  const auto refused = attach(id);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("CONTAINER_EXITED"));
  // The address was given while it ran.
  auto late = session(early, {});
  ASSERT_TRUE(late) << late.error().message;
  const auto code = late->wait();
  ASSERT_FALSE(code) << *code;
  EXPECT_THAT(code.error().message, HasSubstr("CONTAINER_EXITED"));
}

INSTANTIATE_TEST_SUITE_P(Handler, CriStreams, testing::ValuesIn(plain_handlers()), handler_name);

}  // namespace
}  // namespace ward::test
