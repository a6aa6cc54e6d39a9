// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace ward {
namespace {

int exit_status(const Child& child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child.pid, &status, 0), child.pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

ChildSpec shell(const std::string& script) {
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.argv = {"sh", "-c", script};
  return spec;
}

TEST(ChildProcess, OneThatRunsHasNothingToSayWhateverItsStatus) {
  for (const int status : {0, 5, kExecFailedStatus}) {
    const auto child = start_child(shell("exit " + std::to_string(status)));
    ASSERT_TRUE(child);
    EXPECT_EQ(exit_status(*child), status);
    EXPECT_FALSE(find_start_failure(child->failure));
  }
}

TEST(ChildProcess, HasExactlyTheDescriptorsItIsGiven) {
  const UniqueFd given(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const bool gated : {false, true}) {
    ChildSpec spec = shell(
        "[ -e /proc/$$/fd/3 ] && [ -e /proc/$$/fd/6 ] || exit 8\n"
        "for fd in 4 5 7 8 9 10 11 12 13 14 15 16; do [ -e /proc/$$/fd/$fd ] && exit 9; done; exit "
        "0");
    spec.descriptors = {{given.get(), 3}, {given.get(), 6}};
    spec.gated = gated;
    auto child = start_child(spec);
    ASSERT_TRUE(child);
    child->gate.open();
    EXPECT_EQ(exit_status(*child), 0) << (gated ? "gated" : "not gated");
  }
}

TEST(ChildProcess, SaysWhyItCouldNotBecomeItsProgram) {
  ChildSpec nowhere = shell("exit 0");
  nowhere.directory = "/nonexistent";
  ChildSpec nothing = shell("exit 0");
  nothing.program = "/nonexistent";
  for (const auto& [spec, step] :
       {std::pair{nowhere, "enter its directory"}, std::pair{nothing, "execute"}}) {
    const auto child = start_child(spec);
    ASSERT_TRUE(child);
    EXPECT_EQ(exit_status(*child), kExecFailedStatus);
    const auto failure = find_start_failure(child->failure);
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->message, std::string(step) + ": No such file or directory");
    EXPECT_EQ(failure->sys_errno, ENOENT);
  }
}

// The child needs some more than its parent did, to arrange them.
TEST(ChildProcess, SaysThatItHadNoDescriptorToSpare) {
  constexpr int kNeededByParent = 3;  // /dev/null and a pipe
  const UniqueFd next(::open("/dev/null", O_RDWR | O_CLOEXEC));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit tight{static_cast<rlim_t>(next.get() + 1 + kNeededByParent), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  const auto child = start_child(shell("exit 0"));
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_EQ(exit_status(*child), kExecFailedStatus);
  const auto failure = find_start_failure(child->failure);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->sys_errno, EMFILE) << failure->message;
}

TEST(ChildProcess, OneThatEndsAtItsGateHasNothingToSay) {
  ChildSpec spec = shell("exit 0");
  spec.gated = true;
  auto child = start_child(spec);
  ASSERT_TRUE(child);
  child->gate = Gate();
  EXPECT_EQ(exit_status(*child), kExecFailedStatus);
  EXPECT_FALSE(find_start_failure(child->failure));
}

TEST(ChildProcess, AForkThatGoesOnLeavesBehindAllButWhatItNames) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const int kept[] = {::fcntl(null.get(), F_DUPFD_CLOEXEC, 60),
                      ::fcntl(null.get(), F_DUPFD_CLOEXEC, 40)};
  const UniqueFd others[] = {UniqueFd(::fcntl(null.get(), F_DUPFD_CLOEXEC, 41)),
                             UniqueFd(::fcntl(null.get(), F_DUPFD_CLOEXEC, 61))};
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ::signal(SIGUSR1, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &mask, nullptr);
    if (!leave_behind_all_but({kept[0], kept[1]})) ::_exit(1);
    for (int fd = 0; fd < 200; ++fd) {
      const bool open = ::fcntl(fd, F_GETFD) >= 0;
      if (open != (fd < 3 || fd == kept[0] || fd == kept[1])) ::_exit(2);
    }
    struct sigaction action = {};
    ::sigaction(SIGUSR1, nullptr, &action);
    ::sigprocmask(SIG_BLOCK, nullptr, &mask);
    ::_exit(action.sa_handler == SIG_DFL && sigismember(&mask, SIGTERM) == 0 ? 0 : 3);
  }
  EXPECT_EQ(exit_status(Child{pid, {}, {}}), 0);
  for (const int fd : kept) ::close(fd);
}

}  // namespace
}  // namespace ward
