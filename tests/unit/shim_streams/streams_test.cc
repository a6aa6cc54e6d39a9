// SPDX-License-Identifier: Apache-2.0
// Streams over real FIFOs, the reaper over real children, the runtime's verbs over a script.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "lib/linux/child_process.h"
#include "lib/linux/reaper.h"
#include "shim/runtime/runc.h"
#include "shim/streams/stdio.h"

namespace ward::shim::streams {
namespace {

using std::chrono::seconds;

class Streams : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "streams-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string fifo(const char* name) {
    const std::string path = directory_ / name;
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    return path;
  }
  static std::string read_now(int fd) {
    char buffer[65536];
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
  }
  static int target(const Stdio& stdio, int wanted) {
    for (const auto& [fd, to] : stdio.child_descriptors()) {
      if (to == wanted) return ::dup(fd);
    }
    return -1;
  }
  // Until `done` says so; a loop that has nothing to do any more, or a minute, is a failure.
  void run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (!done() && std::chrono::steady_clock::now() < end) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(done());
  }

  asio::io_context loop_{1};
  std::filesystem::path directory_;
};

TEST_F(Streams, OpeningAFifoThatNobodyReadsDoesNotBlockAndWhatIsWrittenWaitsThere) {
  StdioSpec spec;
  spec.out = fifo("out");
  auto stdio = Stdio::open(loop_, spec);
  ASSERT_TRUE(stdio.has_value());
  UniqueFd container(target(**stdio, 1));
  (*stdio)->release_child_descriptors();
  ASSERT_EQ(::write(container.get(), "hello", 5), 5);
  container.reset();
  bool drained = false;
  (*stdio)->drain(seconds(30), [&] { drained = true; });
  run_until([&] { return drained; });
  const UniqueFd late(::open(spec.out.c_str(), O_RDONLY | O_NONBLOCK));
  EXPECT_EQ(read_now(late.get()), "hello");
}

TEST_F(Streams, AReaderThatGoesAwayAndComesBackLosesNothingAndBreaksNothing) {
  StdioSpec spec;
  spec.out = fifo("out");
  UniqueFd reader(::open(spec.out.c_str(), O_RDONLY | O_NONBLOCK));
  auto stdio = Stdio::open(loop_, spec);
  ASSERT_TRUE(stdio.has_value());
  const UniqueFd container(target(**stdio, 1));
  (*stdio)->release_child_descriptors();
  reader.reset();
  ASSERT_EQ(::write(container.get(), "while away", 10), 10);
  loop_.poll();
  reader.reset(::open(spec.out.c_str(), O_RDONLY | O_NONBLOCK));
  std::string seen;
  run_until([&] { return (seen += read_now(reader.get())) == "while away"; });
}

TEST_F(Streams, TheClientSeesTheEndWhenTheContainerClosed) {
  StdioSpec spec;
  spec.out = fifo("out");
  const UniqueFd reader(::open(spec.out.c_str(), O_RDONLY | O_NONBLOCK));
  auto stdio = Stdio::open(loop_, spec);
  ASSERT_TRUE(stdio.has_value());
  (*stdio)->release_child_descriptors();
  bool drained = false;
  (*stdio)->drain(seconds(30), [&] { drained = true; });
  run_until([&] { return drained; });
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0);
}

TEST_F(Streams, ADrainEndsWhenSomeoneHoldsTheOutputForEver) {
  StdioSpec spec;
  spec.out = fifo("out");
  auto stdio = Stdio::open(loop_, spec);
  ASSERT_TRUE(stdio.has_value());
  const UniqueFd grandchild(target(**stdio, 1));
  (*stdio)->release_child_descriptors();
  bool drained = false;
  (*stdio)->drain(std::chrono::milliseconds(10), [&] { drained = true; });
  run_until([&] { return drained; });
}

TEST_F(Streams, InputEndsOnlyAfterCloseIO) {
  StdioSpec spec;
  spec.in = fifo("in");
  spec.out = fifo("out");
  auto stdio = Stdio::open(loop_, spec);
  ASSERT_TRUE(stdio.has_value());
  const UniqueFd container(target(**stdio, 0));
  ::fcntl(container.get(), F_SETFL, O_NONBLOCK);
  (*stdio)->release_child_descriptors();
  {
    const UniqueFd client(::open(spec.in.c_str(), O_WRONLY | O_NONBLOCK));
    ASSERT_EQ(::write(client.get(), "in", 2), 2);
  }
  std::string seen;
  run_until([&] { return (seen += read_now(container.get())) == "in"; });
  loop_.poll();
  char byte = 0;
  EXPECT_EQ(::read(container.get(), &byte, 1), -1) << "the client went, but may come back";
  (*stdio)->close_stdin();
  (*stdio)->close_stdin();
  run_until([&] { return ::read(container.get(), &byte, 1) == 0; });
}

TEST_F(Streams, AFullDestinationHoldsTheSourceBackAndLosesNothingAtItsEnd) {
  int in[2];
  int out[2];
  ASSERT_EQ(::pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
  ASSERT_EQ(::pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(out[0]);
  bool done = false;
  auto pump =
      std::make_shared<Pump>(loop_, UniqueFd(in[0]), UniqueFd(out[1]), Pump::WhenBroken::kDiscard);
  pump->start([&] { done = true; });
  std::size_t written = 0;
  std::size_t seen = 0;
  constexpr std::size_t kTotal = 2U << 20U;
  const std::string chunk(4096, 'x');
  UniqueFd writer(in[1]);
  run_until([&] {
    while (writer && written<kTotal&& ::write(writer.get(), chunk.data(), chunk.size())> 0)
      written += chunk.size();
    if (written >= kTotal) writer.reset();
    loop_.poll();
    seen += read_now(reader.get()).size();
    return done && seen == kTotal;
  });
}

TEST_F(Streams, F13_WhatComesWhileTheRuntimeWorksWaitsForItsSuccess) {
  const std::string much(512U << 10U, 'x');  // more than a pipe holds
  for (const bool succeeds : {true, false}) {
    StdioSpec spec;
    spec.out = fifo(succeeds ? "out" : "other-out");
    const UniqueFd reader(::open(spec.out.c_str(), O_RDONLY | O_NONBLOCK));
    auto stdio = Stdio::open(loop_, spec);
    ASSERT_TRUE(stdio.has_value());
    (*stdio)->hold_output(/*only_runtime=*/false);
    UniqueFd runtime(target(**stdio, 1));
    ::fcntl(runtime.get(), F_SETFL, O_NONBLOCK);
    (*stdio)->release_child_descriptors();
    std::size_t written = 0;
    run_until([&] {
      const auto n = ::write(runtime.get(), much.data() + written, much.size() - written);
      if (n > 0) written += static_cast<std::size_t>(n);
      return written == much.size();
    });
    loop_.restart();
    loop_.poll();
    EXPECT_EQ(read_now(reader.get()), "") << "too early";
    if (succeeds) (*stdio)->begin_output();
    ASSERT_EQ(::write(runtime.get(), "more", 4), 4);
    runtime.reset();
    bool drained = false;
    std::string seen;
    (*stdio)->drain(seconds(30), [&] { drained = true; });
    run_until([&] {
      seen += read_now(reader.get());
      return drained;
    });
    seen += read_now(reader.get());
    if (succeeds) {
      EXPECT_EQ(seen, much + "more");
    } else {
      EXPECT_EQ(seen.find('x'), std::string::npos) << "what a runtime that failed has said";
    }
  }
}

TEST_F(Streams, F13_ARuntimeThatFloodsItsStreamsIsNeverHeldUp) {
  for (const bool only_runtime : {true, false}) {
    StdioSpec spec;
    spec.out = fifo(only_runtime ? "out" : "other-out");
    const UniqueFd reader(::open(spec.out.c_str(), O_RDONLY | O_NONBLOCK));
    auto stdio = Stdio::open(loop_, spec);
    ASSERT_TRUE(stdio.has_value());
    (*stdio)->hold_output(only_runtime);
    const UniqueFd runtime(target(**stdio, 1));
    ::fcntl(runtime.get(), F_SETFL, O_NONBLOCK);
    const std::string chunk(4096, 'x');
    std::size_t written = 0;
    std::size_t seen = 0;
    run_until([&] {
      if (::write(runtime.get(), chunk.data(), chunk.size()) > 0) written += chunk.size();
      seen += read_now(reader.get()).size();
      return written >= 3 * Pump::kMostHeld;
    });
    // A session's process may write before its runtime is back, and none of that may be lost.
    if (only_runtime) {
      EXPECT_EQ(seen, 0U);
    } else {
      run_until([&] { return (seen += read_now(reader.get()).size()) == written; });
    }
  }
}

TEST_F(Streams, TheContainersEndsBelongToTheUserThatTheOptionsName) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  StdioSpec spec;
  spec.in = fifo("in");
  spec.out = fifo("out");
  spec.uid = 12345;
  spec.gid = 23456;
  auto stdio = Stdio::open(loop_, spec);
  ASSERT_TRUE(stdio.has_value());
  for (const auto& [fd, to] : (*stdio)->child_descriptors()) {
    struct stat status = {};
    ASSERT_EQ(::fstat(fd, &status), 0);
    EXPECT_EQ(status.st_uid, 12345U) << to;
    EXPECT_EQ(status.st_gid, 23456U) << to;
  }
}

TEST_F(Streams, AFileGetsBothStreamsAndAnUnknownSchemeIsRefused) {
  StdioSpec spec;
  spec.out = "file://" + (directory_ / "logs" / "log").string();
  auto stdio = Stdio::open(loop_, spec);
  ASSERT_TRUE(stdio.has_value());
  const UniqueFd out(target(**stdio, 1));
  const UniqueFd err(target(**stdio, 2));
  ASSERT_EQ(::write(out.get(), "o", 1), 1);
  ASSERT_EQ(::write(err.get(), "e", 1), 1);
  run_until([&] { return std::filesystem::file_size(directory_ / "logs" / "log") == 2; });
  spec.out = "carrier-pigeon:///x";
  auto refused = Stdio::open(loop_, spec);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "unknown STDIO scheme carrier-pigeon");
}

TEST_F(Streams, AnExitIsDeliveredWhetherItComesBeforeOrAfterTheWatch) {
  Reaper reaper(loop_);
  ASSERT_TRUE(reaper.start(nullptr, nullptr).has_value());
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", "exit 5"};
  spec.environment = environment_without({});
  auto early = start_child(spec);
  ASSERT_TRUE(early.has_value());
  auto hold = reaper.hold();
  siginfo_t info = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(early->pid), &info, WEXITED | WNOWAIT), 0);
  run_until([&] { return ::kill(early->pid, 0) != 0; });  // reaped by nobody's watch, and kept
  std::uint32_t code = 0;
  reaper.watch(early->pid, [&](Exit exit) { code = exit.code(); });
  EXPECT_EQ(code, 0U) << "never from inside watch()";
  run_until([&] { return code == 5; });
  hold.reset();

  spec.argv = {"sh", "-c", "kill -9 $$"};
  auto late = start_child(spec);
  ASSERT_TRUE(late.has_value());
  reaper.watch(late->pid, [&](Exit exit) { code = exit.code(); });
  run_until([&] { return code == 137; });
  reaper.stop();
}

TEST_F(Streams, AGatedChildWaitsUntilItIsLetGoAndDiesWithItsGate) {
  Reaper reaper(loop_);
  ASSERT_TRUE(reaper.start(nullptr, nullptr).has_value());
  const std::string marker = directory_ / "ran";
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", "echo x > " + marker};
  spec.environment = environment_without({});
  spec.gated = true;
  std::uint32_t code = 1;
  {
    auto dropped = start_child(spec);
    ASSERT_TRUE(dropped.has_value());
    reaper.watch(dropped->pid, [&](Exit exit) { code = exit.code(); });
  }
  run_until([&] { return code == kExecFailedStatus; });
  EXPECT_FALSE(std::filesystem::exists(marker));
  auto child = start_child(spec);
  ASSERT_TRUE(child.has_value());
  reaper.watch(child->pid, [&](Exit exit) { code = exit.code(); });
  loop_.poll();
  EXPECT_FALSE(std::filesystem::exists(marker));
  child->gate.open();
  run_until([&] { return code == 0; });
  EXPECT_TRUE(std::filesystem::exists(marker));
  reaper.stop();
}

TEST_F(Streams, AFailingRuntimeCallCarriesTheLastErrorOfItsLog) {
  Reaper reaper(loop_);
  ASSERT_TRUE(reaper.start(nullptr, nullptr).has_value());
  const std::string script = directory_ / "fake-runtime";
  std::ofstream(script) << "#!/bin/sh\n[ \"$7\" = ps ] && { echo '[1]'; exit 0; }\n"
                           "[ \"$7\" = state ] && exit 3\n"
                           "echo '{\"level\":\"error\",\"msg\":\"it broke\"}' >> \"$4\"; exit 1\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  runtime::Runc runc(reaper, {script, "/root", false});
  const auto call = [&](const char* verb) {
    Result<std::string> answer;
    bool done = false;
    runtime::RuncCall request;
    request.arguments = {verb, "id"};
    runc.run(std::move(request), [&](Result<std::string> result) {
      answer = std::move(result);
      done = true;
    });
    run_until([&] { return done; });
    return answer;
  };
  EXPECT_EQ(call("start").error().message, "OCI runtime start failed: it broke");
  EXPECT_EQ(call("state").error().message,
            "OCI runtime state failed: unable to retrieve OCI runtime error (its log is empty): "
            "exit status 3");
  EXPECT_EQ(*call("ps"), "[1]\n");
  reaper.stop();
}

}  // namespace
}  // namespace ward::shim::streams
