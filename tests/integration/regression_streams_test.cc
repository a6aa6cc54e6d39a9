// SPDX-License-Identifier: Apache-2.0
// Bugs that other shims had, each with its number in docs/shim-contract.md. What is said there of a
// bug must not come true here. This file: streams, terminals, loggers, and a containerd that is
// away (Bug09 to Bug15).
#include <fcntl.h>

#include "tests/integration/regression_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST_F(Regression, Bug09_AFifoWithoutAReaderHoldsUpNeitherItsCreateNorOtherCalls) {
  const Bundle& bundle = make_bundle("bug09", {"/box", "tick", "0"});
  auto request = bundle.create_request();
  request.set_stdin(fifo(bundle, "in"));
  request.set_stdout(fifo(bundle, "out"));
  request.set_stderr(fifo(bundle, "err"));
  const auto begin = Clock::now();
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("bug09").has_value());
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
  ASSERT_TRUE(tasks_->kill("bug09", SIGKILL).has_value());
  EXPECT_EQ(tasks_->wait("bug09")->exit_status(), 137U);
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(Regression, Bug10_OutputOfTheLastMomentIsThereAfterADeleteThatComesAtOnce) {
  for (int i = 0; i < 5; ++i) {
    const Bundle& bundle =
        make_bundle("bug10-" + std::to_string(i), {"/box", "echo", "last", "words"});
    auto request = bundle.create_request();
    request.set_stdout(fifo(bundle, "out"));
    const UniqueFd reader(::open(request.stdout().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(create(request).has_value());
    ASSERT_TRUE(tasks_->start(bundle.id()).has_value());
    ASSERT_TRUE(tasks_->wait(bundle.id()).has_value());
    ASSERT_TRUE(tasks_->remove(bundle.id()).has_value());
    char buffer[64];
    const ssize_t n = ::read(reader.get(), buffer, sizeof(buffer));
    EXPECT_EQ(std::string(buffer, n > 0 ? static_cast<std::size_t>(n) : 0), "last words\n");
  }
}

TEST_F(Regression, Bug10_ADeleteDoesNotWaitForEverForAGrandchildsPipe) {
  const fs::path out = node().directory() / "bug10-out";
  ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
  ASSERT_TRUE(exec_on("holder", R"(["/box","holder"])", out, false).has_value());
  ASSERT_TRUE(tasks_->start(carrier_, "holder").has_value());
  EXPECT_EQ(tasks_->wait(carrier_, "holder")->exit_status(), 0U);
  const auto begin = Clock::now();
  ASSERT_TRUE(tasks_->remove(carrier_, "holder").has_value());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(Regression, Bug11_AFailedCreateLeavesNoDescriptorAndItsClientSeesTheEnd) {
  const auto fail_once = [&](int i) {
    const Bundle bundle(node(), carrier_, "bug11-" + std::to_string(i), {"nothere"});
    auto request = bundle.create_request();
    request.set_stdin(fifo(bundle, "in"));
    request.set_stdout(fifo(bundle, "out"));
    request.set_stderr(fifo(bundle, "err"));
    const UniqueFd reader(::open(request.stdout().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const auto created = create(request);
    EXPECT_FALSE(created.has_value());
    EXPECT_THAT(message_of(created), HasSubstr("executable file not found"));
    char byte = 0;
    EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "nobody holds the other end";
  };
  fail_once(0);
  const auto before = descriptors().size();
  for (int i = 1; i < 6; ++i) fail_once(i);
  EXPECT_TRUE(await([&] { return descriptors().size() <= before; }))
      << testing::PrintToString(descriptors());
}

TEST_F(Regression, Bug12_ATerminalGoesWithItsProcess) {
  for (int i = 0; i < 3; ++i) {
    const std::string exec_id = "tty-" + std::to_string(i);
    const fs::path out = node().directory() / ("bug12-" + exec_id);
    ASSERT_EQ(::mkfifo(out.c_str(), 0600), 0);
    ASSERT_TRUE(exec_on(exec_id, R"(["/box","wait"])", out, true).has_value());
    const auto started = tasks_->start(carrier_, exec_id);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    EXPECT_EQ(count_descriptors("ptmx"), 1) << testing::PrintToString(descriptors());
    ASSERT_TRUE(tasks_->kill(carrier_, SIGKILL, exec_id).has_value());
    EXPECT_EQ(tasks_->wait(carrier_, exec_id)->exit_status(), 137U);
    // Not deleted yet, and closed all the same.
    EXPECT_TRUE(await([&] { return count_descriptors("ptmx") == 0; }))
        << testing::PrintToString(descriptors());
  }
}

TEST_F(Regression, Bug12_TheTerminalOfAnInitGoesWithItToo) {
  const Bundle& bundle = make_bundle("bug12", {"/box", "wait"});
  bundle.patch(R"({"process":{"terminal":true}})");
  auto request = bundle.create_request();
  request.set_terminal(true);
  request.set_stdin(fifo(bundle, "in"));
  request.set_stdout(fifo(bundle, "out"));
  ASSERT_EQ(count_descriptors("ptmx"), 0);
  const auto created = create(request);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  ASSERT_TRUE(tasks_->start("bug12").has_value());
  EXPECT_EQ(count_descriptors("ptmx"), 1) << testing::PrintToString(descriptors());
  ASSERT_TRUE(tasks_->kill("bug12", SIGKILL).has_value());
  EXPECT_EQ(tasks_->wait("bug12")->exit_status(), 137U);
  EXPECT_TRUE(await([&] { return count_descriptors("ptmx") == 0; }))
      << testing::PrintToString(descriptors());
  EXPECT_EQ(status("bug12"), containerd::STATUS_STOPPED) << "not deleted yet";
}

TEST_F(Regression, Bug13_NoLoggerAndNoPipeOfOneIsLeft) {
  const auto before = count_descriptors("pipe:");
  const Bundle& bundle = make_bundle("bug13", {"/box", "err"});
  const auto logger = bundle.path() / "logger";
  std::ofstream(logger) << "#!/bin/sh\necho $$ >" << (bundle.path() / "pid").string()
                        << "\nexec 5>&-\ncat <&3\n";
  fs::permissions(logger, fs::perms::owner_all);
  auto request = bundle.create_request();
  request.set_stdout("binary://" + logger.string());
  request.set_stderr(request.stdout());
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("bug13").has_value());
  ASSERT_TRUE(tasks_->wait("bug13").has_value());
  ASSERT_TRUE(tasks_->remove("bug13").has_value());
  const pid_t pid = std::atoi(read_file(bundle.path() / "pid").value_or("0").c_str());
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(await([&] { return ::kill(pid, 0) != 0; }));
  EXPECT_TRUE(await([&] { return count_descriptors("pipe:") == before; }))
      << testing::PrintToString(descriptors());
}

TEST_F(Regression, Bug13_ALoggerThatMindsNeitherTheEndOfItsInputNorAWordIsKilled) {
  const Bundle& bundle = make_bundle("bug13-deaf", {"/box", "err"});
  const auto logger = bundle.path() / "logger";
  std::ofstream(logger) << "#!/bin/sh\ntrap '' TERM\necho $$ >" << (bundle.path() / "pid").string()
                        << "\nexec 5>&-\nexec sleep 3600\n";
  fs::permissions(logger, fs::perms::owner_all);
  auto request = bundle.create_request();
  request.set_stdout("binary://" + logger.string());
  request.set_stderr(request.stdout());
  ASSERT_TRUE(create(request).has_value());
  const pid_t pid = std::atoi(read_file(bundle.path() / "pid").value_or("0").c_str());
  ASSERT_GT(pid, 0);
  ASSERT_TRUE(tasks_->start("bug13-deaf").has_value());
  ASSERT_TRUE(tasks_->wait("bug13-deaf").has_value());
  EXPECT_EQ(::kill(pid, 0), 0) << "nobody has asked it to end";
  ASSERT_TRUE(tasks_->remove("bug13-deaf").has_value());
  EXPECT_TRUE(await([&] { return ::kill(pid, 0) != 0; }));
}

}  // namespace
}  // namespace ward::test
