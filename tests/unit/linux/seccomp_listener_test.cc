// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/seccomp_listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstddef>

namespace ward {
namespace {

// A child under a filter that notifies of mkdir; it calls mkdir(path) and exits with its errno.
struct Child {
  pid_t pid;
  UniqueFd listener;
};

Child start_child(const char* path) {
  int ready[2];
  EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    sock_fprog program{.len = 4, .filter = code};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const int fd = static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                              SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    (void)!::write(ready[1], &fd, sizeof(fd));
    _exit(::mkdir(path, 0700) == 0 ? 0 : errno);
  }
  int number = -1;
  EXPECT_EQ(::read(ready[0], &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
  ::close(ready[0]);
  ::close(ready[1]);
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return {pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)))};
}

std::optional<Notification> next(SeccompListener& listener) {
  pollfd wait{.fd = listener.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 5000), 1);
  return listener.receive().value();
}

int exit_status(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(SeccompListener, I3_ADeniedCallDoesNotRun) {
  const std::string path = "/tmp/ward-denied-" + std::to_string(::getpid());
  auto child = start_child(path.c_str());
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
    auto child = start_child(path.c_str());
    auto listener = SeccompListener::adopt(std::move(child.listener));
    ASSERT_TRUE(listener);
    EXPECT_EQ(*listener->deny(next(*listener)->id, asked), Delivery::kDelivered);
    EXPECT_EQ(exit_status(child.pid), told) << asked;
    EXPECT_NE(::access(path.c_str(), F_OK), 0) << asked;
  }
}

TEST(SeccompListener, ACallThatIsLetRunRuns) {
  const std::string path = "/tmp/ward-allowed-" + std::to_string(::getpid());
  auto child = start_child(path.c_str());
  auto listener = SeccompListener::adopt(std::move(child.listener));
  ASSERT_TRUE(listener);
  EXPECT_EQ(*listener->let_run(next(*listener)->id), Delivery::kDelivered);
  EXPECT_EQ(exit_status(child.pid), 0);
  EXPECT_EQ(::rmdir(path.c_str()), 0);
}

TEST(SeccompListener, I5_AnAnswerToADeadTaskIsNotAnError) {
  auto child = start_child("/tmp/ward-never");
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
