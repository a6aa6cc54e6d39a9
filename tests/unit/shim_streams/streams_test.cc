// SPDX-License-Identifier: Apache-2.0
// Streams over real FIFOs.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "shim/streams/stdio.h"
#include "tests/support/loop_test.h"

namespace ward::shim::streams {
namespace {

using std::chrono::seconds;

class Streams : public test::LoopTest {
 protected:
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
  void run_until(const std::function<bool()>& done) {
    EXPECT_TRUE(LoopTest::run_until(done, seconds(60)));
  }
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

}  // namespace
}  // namespace ward::shim::streams
