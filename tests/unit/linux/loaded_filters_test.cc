// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/loaded_filters.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <thread>

#include "lib/linux/pidfd.h"
#include "lib/linux/process_info.h"
#include "tests/support/notified_child.h"

namespace ward {
namespace {

constexpr std::chrono::seconds kPatience{5};

// Answers mkdir with this error, and lets everything else run.
SeccompProgram program_that_refuses_mkdir(std::uint32_t error) {
  return {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
}

bool load(SeccompProgram program) {
  sock_fprog given{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &given) == 0;
}

// Loads them in this order, says so, and ends with 7 once its pipe is closed.
class Filtered {
 public:
  explicit Filtered(const std::vector<SeccompProgram>& programs) {
    int ready[2];
    int goes_on[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(goes_on, O_CLOEXEC), 0);
    pid = ::fork();
    if (pid == 0) {
      ::close(goes_on[1]);
      for (const auto& program : programs)
        if (!load(program)) _exit(1);
      (void)!::write(ready[1], "r", 1);
      char end = 0;
      const ssize_t n = ::read(goes_on[0], &end, 1);
      _exit(n == 0 ? 7 : errno);
    }
    ::close(ready[1]);
    ::close(goes_on[0]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    pidfd = open_pidfd(pid).value();
    end_.reset(goes_on[1]);
  }
  ~Filtered() { EXPECT_EQ(finish(), 7) << "the call that it waited in went on"; }
  Filtered(const Filtered&) = delete;
  Filtered& operator=(const Filtered&) = delete;

  pid_t pid = -1;
  UniqueFd pidfd;

 private:
  int finish() {
    end_.reset();
    return test::exit_status(pid);
  }
  UniqueFd end_;
};

bool same(const SeccompProgram& a, const SeccompProgram& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](auto x, auto y) {
           return x.code == y.code && x.jt == y.jt && x.jf == y.jf && x.k == y.k;
         });
}

TEST(LoadedFilters, AreReadTheOldestFirstAndTheThreadGoesOn) {
  const auto first = program_that_refuses_mkdir(EACCES);
  const auto second = program_that_refuses_mkdir(EROFS);
  const Filtered child({first, second});
  for (int i = 0; i < 20; ++i) {
    const auto read = read_loaded_filters(child.pid, child.pidfd, kPatience);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->programs.size(), 2U);
    EXPECT_FALSE(read->more);
    EXPECT_EQ(read->tid, child.pid);
    EXPECT_TRUE(same(read->programs.at(0), first));
    EXPECT_TRUE(same(read->programs.at(1), second));
  }
}

TEST(LoadedFilters, AThreadWithoutAFilterHasNone) {
  const Filtered child({});
  const auto read = read_loaded_filters(child.pid, child.pidfd, kPatience);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->programs.empty());
}

TEST(LoadedFilters, MoreThanAreReadIsSaid) {
  const Filtered child(std::vector<SeccompProgram>(70, program_that_refuses_mkdir(EACCES)));
  const auto read = read_loaded_filters(child.pid, child.pidfd, kPatience);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->programs.size(), 64U);
  EXPECT_TRUE(read->more);
}

TEST(LoadedFilters, WhereTheFirstThreadEndedAnotherIsRead) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!load(program_that_refuses_mkdir(EACCES))) _exit(1);
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);  // this thread alone
  }
  const UniqueFd pidfd = open_pidfd(pid).value();
  for (int i = 0; i < 5000 && read_stat(pid)->state != 'Z'; ++i) ::usleep(1000);
  ASSERT_EQ(read_stat(pid)->state, 'Z');
  const auto read = read_loaded_filters(pid, pidfd, kPatience);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->programs.size(), 1U);
  EXPECT_NE(read->tid, pid);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST(LoadedFilters, AStoppedThreadStaysStopped) {
  const Filtered child({program_that_refuses_mkdir(EACCES)});
  ASSERT_EQ(::kill(child.pid, SIGSTOP), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child.pid, &status, WUNTRACED), child.pid);
  const auto read = read_loaded_filters(child.pid, child.pidfd, kPatience);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->programs.size(), 1U);
  EXPECT_EQ(read_stat(child.pid)->state, 'T');
  ASSERT_EQ(::kill(child.pid, SIGCONT), 0);
}

TEST(LoadedFilters, ACallThatWaitsForItsAnswerIsAskedAgain) {
  auto child = test::start_notified_child("/nowhere/at/all");
  auto listener = SeccompListener::adopt(std::move(child.listener));
  ASSERT_TRUE(listener);
  const auto asked = test::next(*listener);
  const UniqueFd pidfd = open_pidfd(child.pid).value();
  const auto read = read_loaded_filters(child.pid, pidfd, kPatience);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->programs.size(), 1U);
  const auto again = test::next(*listener);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->nr, asked->nr);
  EXPECT_EQ(*listener->deny(again->id, EXDEV), Delivery::kDelivered);
  EXPECT_EQ(test::exit_status(child.pid), EXDEV);
}

TEST(LoadedFilters, OfAnEndedProcessThereAreNone) {
  const pid_t pid = ::fork();
  if (pid == 0) _exit(0);
  const UniqueFd pidfd = open_pidfd(pid).value();
  test::exit_status(pid);
  const auto read = read_loaded_filters(pid, pidfd, kPatience);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kNotFound);
}

TEST(LoadedFilters, WhoIsUnderAFilterItselfIsRefused) {
  const Filtered child({program_that_refuses_mkdir(EACCES)});
  const pid_t asks = ::fork();
  if (asks == 0) {
    const bool loaded = load(program_that_refuses_mkdir(EACCES));
    const auto read = read_loaded_filters(child.pid, child.pidfd, kPatience);
    _exit(loaded && !read && read.error().code == Code::kPermissionDenied ? 0 : 1);
  }
  EXPECT_EQ(test::exit_status(asks), 0);
}

}  // namespace
}  // namespace ward
