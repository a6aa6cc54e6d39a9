// SPDX-License-Identifier: Apache-2.0
// Loggers (binary://) as shell scripts: what they are given, and what their end means for a
// container.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "lib/base/file.h"
#include "lib/linux/reaper.h"
#include "shim/streams/stdio.h"

namespace ward::shim::streams {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

TEST(LogUri, EveryFormIsUnderstood) {
  EXPECT_EQ(parse_log_uri("")->path, "");
  EXPECT_EQ(parse_log_uri("/run/fifo?x")->path, "/run/fifo?x") << "a bare path is taken as it is";
  EXPECT_EQ(parse_log_uri("/run/fifo")->scheme, "fifo");
  EXPECT_EQ(parse_log_uri("file:///var/log/a%20b")->path, "/var/log/a b");
  const auto binary = parse_log_uri("binary:///usr/bin/log?id=a+b&flag&path=%2Fx%3D&&#part");
  ASSERT_TRUE(binary.has_value());
  EXPECT_EQ(binary->scheme, "binary");
  EXPECT_EQ(binary->path, "/usr/bin/log");
  EXPECT_EQ(binary->arguments, (std::vector<std::string>{"id", "a b", "flag", "", "path", "/x="}));
}

TEST(LogUri, WhatCannotBeMeantIsInvalid) {
  for (const char* text :
       {"binary://", "file://relative", "binary:///x%", "binary:///x%0", "binary:///x%zz",
        "binary:///x%00y", "binary:///x?a=%00", "://", "file:///x%e"}) {
    const auto uri = parse_log_uri(text);
    ASSERT_FALSE(uri.has_value()) << text;
    EXPECT_EQ(uri.error().code, Code::kInvalidArgument);
    EXPECT_NE(uri.error().message.find(text), std::string::npos);
  }
}

class Logger : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "logger-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    ASSERT_TRUE(reaper_.start(nullptr, nullptr).has_value());
  }
  void TearDown() override {
    stdio_.reset();
    reaper_.stop();
    fs::remove_all(directory_);
  }
  // The script stands in its own directory.
  Result<void> open(const std::string& script, const std::string& query = {},
                    const std::string& scheme = "binary") {
    const auto path = directory_ / "logger";
    std::ofstream(path) << "#!/bin/sh\ncd " << directory_.string() << "\n" << script;
    fs::permissions(path, fs::perms::owner_all);
    StdioSpec spec;
    spec.out = scheme + "://" + path.string() + query;
    spec.err = "/this/is/not/looked/at";
    auto stdio = Stdio::open(loop_, spec, {&reaper_, "web-1", "shop"});
    if (!stdio) return tl::unexpected(stdio.error());
    stdio_ = std::move(*stdio);
    for (const auto& [fd, to] : stdio_->child_descriptors())
      (to == 1 ? out_ : err_).reset(::dup(fd));
    stdio_->release_child_descriptors();
    Result<void> ready = fail(Code::kDeadlineExceeded, "nothing was said");
    bool said = false;
    stdio_->when_ready([&](Result<void> result) {
      ready = std::move(result);
      said = true;
    });
    run_until([&] { return said; });
    return ready;
  }
  void run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(30);
    while (!done() && std::chrono::steady_clock::now() < end) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(done());
  }
  std::string text(const char* name) { return read_file(directory_ / name).value_or(""); }

  asio::io_context loop_{1};
  Reaper reaper_{loop_};
  fs::path directory_;
  std::unique_ptr<Stdio> stdio_;
  UniqueFd out_, err_;
};

TEST_F(Logger, GetsBothStreamsItsArgumentsAndTwoVariables) {
  const auto ready = open(
      "echo \"$@\" > arguments\nenv > environment\nls /proc/self/fd > descriptors\nexec 5>&-\n"
      "cat <&3 > out &\ncat <&4 > err\nwait\necho over > end\n",
      "?key=value&other=2");
  ASSERT_TRUE(ready.has_value()) << ready.error().message;
  ASSERT_EQ(::write(out_.get(), "to out\n", 7), 7);
  ASSERT_EQ(::write(err_.get(), "to err\n", 7), 7);
  out_.reset();
  err_.reset();
  bool drained = false;
  stdio_->drain(seconds(30), [&] { drained = true; });
  run_until([&] { return drained; });
  EXPECT_EQ(text("end"), "over\n") << "a drain waits for the logger itself";
  EXPECT_EQ(text("out"), "to out\n");
  EXPECT_EQ(text("err"), "to err\n");
  EXPECT_EQ(text("arguments"), "key value other 2\n");
  EXPECT_NE(text("environment").find("CONTAINER_ID=web-1\n"), std::string::npos);
  EXPECT_NE(text("environment").find("CONTAINER_NAMESPACE=shop\n"), std::string::npos);
  EXPECT_EQ(text("environment").find("TTRPC"), std::string::npos);
}

TEST_F(Logger, OneThatEndsBeforeItIsReadyFailsTheCreate) {
  const auto ready = open("exit 3\n");
  ASSERT_FALSE(ready.has_value());
  EXPECT_NE(ready.error().message.find("status 3"), std::string::npos) << ready.error().message;
}

TEST_F(Logger, OfTheSecondVersionSaysAByteWhenItIsReady) {
  const auto ready =
      open("printf r >&5\nexec 5>&-\ncat <&3 > out &\ncat <&4 > err\nwait\n", "?a=b", "binary-v2");
  ASSERT_TRUE(ready.has_value()) << ready.error().message;
  ASSERT_EQ(::write(out_.get(), "to out\n", 7), 7);
  out_.reset();
  err_.reset();
  bool drained = false;
  stdio_->drain(seconds(30), [&] { drained = true; });
  run_until([&] { return drained; });
  EXPECT_EQ(text("out"), "to out\n");
}

TEST_F(Logger, OfTheSecondVersionThatClosesItsDescriptorWithoutAByteFailsTheCreate) {
  const auto ready = open("exec 5>&-\ncat <&3 > out &\ncat <&4 > err\nwait\n", {}, "binary-v2");
  ASSERT_FALSE(ready.has_value());
  EXPECT_NE(ready.error().message.find("without a byte"), std::string::npos)
      << ready.error().message;
}

TEST_F(Logger, OfTheSecondVersionThatEndsBeforeItIsReadySaysItsStatus) {
  const auto ready = open("exit 4\n", {}, "binary-v2");
  ASSERT_FALSE(ready.has_value());
  EXPECT_NE(ready.error().message.find("status 4"), std::string::npos) << ready.error().message;
}

TEST_F(Logger, OneThatDoesNotExistFailsTheCreate) {
  StdioSpec spec;
  spec.out = "binary:///no/such/logger";
  const auto stdio = Stdio::open(loop_, spec, {&reaper_, "web-1", "shop"});
  ASSERT_FALSE(stdio.has_value());
  EXPECT_EQ(stdio.error().code, Code::kNotFound);
  EXPECT_NE(stdio.error().message.find("/no/such/logger"), std::string::npos);
}

TEST_F(Logger, OneThatDiesTakesNothingWithIt) {
  ASSERT_TRUE(open("exec 5>&-\nread line <&3\necho \"$line\" > got\nexit 1\n").has_value());
  ASSERT_EQ(::write(out_.get(), "first\n", 6), 6);
  run_until([&] { return text("got") == "first\n"; });
  // Far more than a pipe holds: it goes nowhere, and neither blocks nor breaks.
  ::fcntl(out_.get(), F_SETFL, O_NONBLOCK);
  const std::string chunk(4096, 'x');
  std::size_t written = 0;
  run_until([&] {
    const auto n = ::write(out_.get(), chunk.data(), chunk.size());
    if (n > 0) written += static_cast<std::size_t>(n);
    EXPECT_TRUE(n > 0 || errno == EAGAIN) << errno;
    return written > (1U << 20U) || (n < 0 && errno != EAGAIN);
  });
  bool drained = false;
  stdio_->drain(seconds(30), [&] { drained = true; });
  run_until([&] { return drained; });
}

TEST_F(Logger, OneThatStaysIsAskedToEnd) {
  ASSERT_TRUE(open("trap 'echo asked > end; kill $!; exit 0' TERM\necho $$ > pid\nexec 5>&-\nsleep "
                   "1000 &\nwait\n")
                  .has_value());
  const auto pid = std::atoi(text("pid").c_str());
  ASSERT_GT(pid, 0);
  bool drained = false;
  stdio_->drain(std::chrono::milliseconds(20), [&] { drained = true; });
  run_until([&] { return drained; });
  stdio_.reset();
  run_until([&] { return ::kill(pid, 0) != 0; });
  EXPECT_EQ(text("end"), "asked\n");
}

TEST_F(Logger, ATerminalHasOneStream) {
  const auto path = directory_ / "logger";
  std::ofstream(path) << "#!/bin/sh\ncd " << directory_.string()
                      << "\nexec 5>&-\ncat <&4 > err\ncat <&3 > out\n";
  fs::permissions(path, fs::perms::owner_all);
  StdioSpec spec;
  spec.out = "binary://" + path.string();
  spec.terminal = true;
  auto stdio = Stdio::open(loop_, spec, {&reaper_, "web-1", "shop"});
  ASSERT_TRUE(stdio.has_value()) << stdio.error().message;
  EXPECT_TRUE((*stdio)->child_descriptors().empty());
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(::unlockpt(master.get()), 0);
  char name[64];
  ASSERT_EQ(::ptsname_r(master.get(), name, sizeof(name)), 0);
  UniqueFd terminal(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE((*stdio)->attach_terminal(std::move(master)).has_value());
  ASSERT_EQ(::write(terminal.get(), "hello\n", 6), 6);
  terminal.reset();
  bool drained = false;
  (*stdio)->drain(seconds(30), [&] { drained = true; });
  run_until([&] { return drained; });
  EXPECT_EQ(text("out"), "hello\r\n");
  EXPECT_EQ(text("err"), "");
}

}  // namespace
}  // namespace ward::shim::streams
