// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/own_processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <future>
#include <thread>

namespace ward {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kUpper = std::uint64_t{1} << 32U;

TEST(OwnProcesses, AreThreadsOfTheSameProcess) {
  std::promise<pid_t> began;
  std::promise<void> end;
  std::thread other([&] {
    began.set_value(::gettid());
    end.get_future().wait();
  });
  const auto self = static_cast<std::uint32_t>(::getpid());
  const auto sibling = static_cast<std::uint32_t>(began.get_future().get());
  const auto parent = static_cast<std::uint64_t>(::getppid());
  const std::array<std::uint64_t, 6> asked = {self, sibling, parent, 1, 0, sibling | kUpper};
  for (const std::uint32_t from : {self, sibling}) {
    const auto tid = static_cast<pid_t>(from);
    EXPECT_THAT(own_processes(tid, ::getpid(), asked), ElementsAre(self, sibling));
    EXPECT_THAT(own_processes_from_proc(tid, asked), UnorderedElementsAre(self, sibling));
  }
  const std::array<std::uint64_t, 3> nobody = {~std::uint64_t{0}, kUpper, std::uint64_t{5} << 20U};
  EXPECT_THAT(own_processes(::getpid(), ::getpid(), nobody), IsEmpty());
  EXPECT_THAT(own_processes_from_proc(::getpid(), nobody), IsEmpty());
  end.set_value();
  other.join();
  EXPECT_THAT(own_processes(::getpid(), ::getpid(), std::array<std::uint64_t, 1>{sibling}),
              IsEmpty());
  EXPECT_THAT(own_processes(-1, -1, asked), IsEmpty());
}

[[noreturn]] void pause_for_ever() {
  for (;;) ::pause();
}

void* be_a_thread(void* /*unused*/) { pause_for_ever(); }

// As the first process of a PID namespace, number 1: its second thread gets 2, its child 3, and the
// child of that 4, whatever they are outside.
[[noreturn]] void be_a_family(int ready) {
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, be_a_thread, nullptr) != 0) ::_exit(1);
  if (::fork() == 0) {
    if (::fork() == 0) pause_for_ever();
    (void)!::write(ready, "r", 1);
  }
  pause_for_ever();
}

TEST(OwnProcesses, AreThreadsAndChildrenCountedWhereTheProcessItselfCounts) {
  if (::geteuid() != 0) GTEST_SKIP() << "a PID namespace needs root";
  std::array<int, 2> ready{};
  std::array<int, 2> number{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  ASSERT_EQ(::pipe(number.data()), 0);
  const pid_t outside = ::fork();
  ASSERT_GE(outside, 0);
  if (outside == 0) {
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(1);
    const pid_t first = ::fork();
    if (first == 0) be_a_family(ready[1]);
    (void)!::write(number[1], &first, sizeof first);
    int status = 0;
    ::waitpid(first, &status, 0);
    ::_exit(0);
  }
  pid_t first = 0;
  char byte = 0;
  ASSERT_EQ(::read(number[0], &first, sizeof first), static_cast<ssize_t>(sizeof first));
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const std::array<std::uint64_t, 5> asked = {1, 2, 3, 4, static_cast<std::uint64_t>(first)};
  EXPECT_THAT(own_processes(first, first, asked), ElementsAre(1, 2, 3));
  EXPECT_THAT(own_processes_from_proc(first, asked), UnorderedElementsAre(1, 2, 3));
  ::kill(first, SIGKILL);
  int status = 0;
  EXPECT_EQ(::waitpid(outside, &status, 0), outside);
  for (const int end : {ready[0], ready[1], number[0], number[1]}) ::close(end);
}

}  // namespace
}  // namespace ward
