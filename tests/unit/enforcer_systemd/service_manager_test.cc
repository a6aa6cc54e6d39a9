// SPDX-License-Identifier: Apache-2.0
#include "enforcer/systemd/service_manager.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>

#include "tests/support/datagram_socket.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

using namespace std::chrono_literals;

class ServiceManagerTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("NOTIFY_SOCKET", path_.c_str(), 1);
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
  }
  void TearDown() override { ::unsetenv("NOTIFY_SOCKET"); }
  std::unique_ptr<ServiceManager> make() {
    return std::make_unique<ServiceManager>(
        core_, [this] { return status_; }, 20ms);
  }
  void turn(std::chrono::milliseconds time) {
    core_.restart();
    core_.run_for(time);
  }
  // Turns the loop until something is told.
  std::string told_next() {
    for (int i = 0; i < 500; ++i) {
      turn(10ms);
      if (auto message = socket_.receive(0ms)) return *message;
    }
    return "nothing";
  }
  std::string told() { return socket_.receive(5s).value_or("nothing"); }
  bool is_silent() { return !socket_.receive(0ms); }

  test::ScratchDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "notify";
  test::DatagramSocket socket_{path_};
  asio::io_context core_;
  std::string status_ = "2 containers";
};

TEST_F(ServiceManagerTest, IsToldNothingBeforeItServes) {
  const auto manager = make();
  turn(50ms);
  EXPECT_TRUE(is_silent());
  manager->ready();
  EXPECT_EQ(told(), "READY=1\nSTATUS=2 containers");
  manager->stopping();
  EXPECT_EQ(told(), "STOPPING=1\nSTATUS=stopping");
}

TEST_F(ServiceManagerTest, IsToldTheStatusWhereItChangedAndInOneLine) {
  const auto manager = make();
  manager->ready();
  told();
  turn(100ms);
  EXPECT_TRUE(is_silent()) << "it is as it was";
  status_ = "3 containers\nREADY=0";
  EXPECT_EQ(told_next(), "STATUS=3 containers READY=0");
  EXPECT_TRUE(is_silent());
}

TEST_F(ServiceManagerTest, GetsABeatOfTheLoopTwiceInTheTimeItAsksFor) {
  ::setenv("WATCHDOG_USEC", "200000", 1);
  const auto manager = make();
  turn(150ms);
  EXPECT_TRUE(is_silent()) << "not before READY=1";
  manager->ready();
  told();
  EXPECT_EQ(told(), "WATCHDOG=1");
  turn(350ms);
  manager->stopping();
  int beats = 0;
  std::string last = told();
  for (; last == "WATCHDOG=1"; last = told()) ++beats;
  EXPECT_GE(beats, 1);  // a slow machine
  EXPECT_LE(beats, 3);
  EXPECT_EQ(last, "STOPPING=1\nSTATUS=stopping");
  EXPECT_EQ(told_next(), "WATCHDOG=1") << "what stops may hang as well";
  // A loop that does not turn says nothing.
  while (!is_silent()) continue;
  EXPECT_FALSE(socket_.receive(300ms));
}

TEST_F(ServiceManagerTest, AWatchdogOfAnotherProcessIsNotOurs) {
  ::setenv("WATCHDOG_USEC", "20000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  const auto manager = make();
  manager->ready();
  told();
  turn(100ms);
  EXPECT_TRUE(is_silent());
}

TEST_F(ServiceManagerTest, NobodyIsToldWhereNobodyAsks) {
  ::unsetenv("NOTIFY_SOCKET");
  ::setenv("WATCHDOG_USEC", "20000", 1);
  ServiceManager manager(core_, [] {
    ADD_FAILURE() << "for nobody";
    return "";
  });
  manager.ready();
  manager.stopping();
  EXPECT_EQ(core_.run(), 0U) << "it keeps no loop busy";
  EXPECT_TRUE(is_silent());
}

// A manager that has gone must not end or stop wardd.
TEST_F(ServiceManagerTest, ASocketThatNobodyReadsIsNoFailure) {
  std::filesystem::remove(path_);
  const auto manager = make();
  manager->ready();
  manager->stopping();
}

}  // namespace
}  // namespace ward::enforcer
