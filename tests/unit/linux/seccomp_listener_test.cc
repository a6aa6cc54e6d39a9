// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/seccomp_listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/notified_child.h"

namespace ward {
namespace {

using test::exit_status;
using test::next;
using test::start_notified_child;

TEST(SeccompListener, I3_ADeniedCallDoesNotRun) {
  const std::string path = "/tmp/ward-denied-" + std::to_string(::getpid());
  auto child = start_notified_child(path.c_str());
  auto listener = SeccompListener::adopt(std::move(child.listener));
  ASSERT_TRUE(listener) << listener.error().message;
  const auto call = next(*listener);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->nr, SYS_mkdir);
  EXPECT_EQ(call->tid, child.pid);
  EXPECT_EQ(call->arch, static_cast<std::uint32_t>(AUDIT_ARCH_X86_64));
  EXPECT_EQ(call->args[1], 0700U);
  EXPECT_TRUE(listener->is_valid(call->id));
  EXPECT_EQ(*listener->deny(call->id, EPERM), Delivery::kDelivered);
  EXPECT_EQ(exit_status(child.pid), EPERM);
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(SeccompListener, H07_NothingButAnErrorNumberOrZeroIsAnswered) {
  const std::string path = "/tmp/ward-numbered-" + std::to_string(::getpid());
  const std::vector<std::pair<int, int>> rows = {{0, 0},           {38, 38},        {200, 200},
                                                 {-1, EPERM},      {4096, EPERM},   {70000, EPERM},
                                                 {INT_MAX, EPERM}, {INT_MIN, EPERM}};
  for (const auto& [asked, told] : rows) {
    auto child = start_notified_child(path.c_str());
    auto listener = SeccompListener::adopt(std::move(child.listener));
    ASSERT_TRUE(listener);
    EXPECT_EQ(*listener->deny(next(*listener)->id, asked), Delivery::kDelivered);
    EXPECT_EQ(exit_status(child.pid), told) << asked;
    EXPECT_NE(::access(path.c_str(), F_OK), 0) << asked;
  }
}

TEST(SeccompListener, ACallThatIsLetRunRuns) {
  const std::string path = "/tmp/ward-allowed-" + std::to_string(::getpid());
  auto child = start_notified_child(path.c_str());
  auto listener = SeccompListener::adopt(std::move(child.listener));
  ASSERT_TRUE(listener);
  EXPECT_EQ(*listener->let_run(next(*listener)->id), Delivery::kDelivered);
  EXPECT_EQ(exit_status(child.pid), 0);
  EXPECT_EQ(::rmdir(path.c_str()), 0);
}

TEST(SeccompListener, I5_AnAnswerToADeadTaskIsNotAnError) {
  auto child = start_notified_child("/tmp/ward-never");
  auto listener = SeccompListener::adopt(std::move(child.listener));
  ASSERT_TRUE(listener);
  const auto call = next(*listener);
  ::kill(child.pid, SIGKILL);
  EXPECT_EQ(exit_status(child.pid), -SIGKILL);
  EXPECT_FALSE(listener->is_valid(call->id));
  EXPECT_EQ(*listener->deny(call->id, EPERM), Delivery::kGone);
}

TEST(SeccompListener, S03_OtherDescriptorsAreRefused) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  EXPECT_EQ(SeccompListener::adopt(UniqueFd(pipe_ends[0])).error().code, Code::kPermissionDenied);
  ::close(pipe_ends[1]);
  EXPECT_FALSE(SeccompListener::adopt(UniqueFd(::eventfd(0, EFD_CLOEXEC))));
  EXPECT_FALSE(SeccompListener::adopt(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))));
  EXPECT_FALSE(SeccompListener::adopt(UniqueFd()));
}

}  // namespace
}  // namespace ward
