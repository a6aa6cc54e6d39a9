// SPDX-License-Identifier: Apache-2.0
// A program whose system calls the recorder's tests know: each word on its command line is one
// thing it does, in order.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

namespace {

int failed(const char* what) {
  std::perror(what);
  return 3;
}

void in_child(void (*work)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
}

// int $0x80 with number 20: getpid of i386, writev of x86_64.
void call_as_i386() {
#if defined(__x86_64__)
  long result = 20;
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
#endif
}

void on_signal(int) {}

// What words about signals do; RecorderTest.F24_* knows them.
void act_on_signals(std::string_view word) {
  if (word == "handle") {  // without interrupting "wait"
    for (const int number : {SIGHUP, SIGTERM, SIGUSR2}) ::signal(number, on_signal);
    ::signal(SIGUSR1, SIG_IGN);
    ::signal(SIGTERM, SIG_DFL);
  }
  if (word == "alarm") {
    ::signal(SIGALRM, on_signal);
    ::ualarm(1000, 0);
    ::pause();
  }
  if (word == "signal-parent") in_child([] { ::kill(::getppid(), SIGUSR2); });
  if (word == "kill-child") {
    const pid_t child = ::fork();
    if (child == 0) ::pause();
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  if (word.rfind("usr2:", 0) == 0) ::kill(std::atoi(word.substr(5).data()), SIGUSR2);
  if (word == "exit-in-thread") std::thread([] { ::exit(3); }).join();
}

int act(std::string_view word) {
  act_on_signals(word);
  if (word == "high") {  // numbers that nobody has given to a call
    for (const long number : {500L, 600L, 100'000L}) ::syscall(number);
  }
  if (word == "rare") ::syscall(SYS_sched_get_priority_max, SCHED_RR);
  if (word == "thread") std::thread([] { ::syscall(SYS_sched_get_priority_min, SCHED_RR); }).join();
  if (word == "grandchild")
    in_child([] {
      in_child([] {
        timespec interval{};
        ::syscall(SYS_sched_rr_get_interval, 0, &interval);
      });
    });
  if (word == "sockets") {
    ::close(::socket(AF_INET, SOCK_DGRAM, 0));
    ::close(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  if (word == "odd_sockets") {
    ::close(::socket(AF_NETLINK, SOCK_RAW, 12));  // NETLINK_NETFILTER
    static_cast<void>(::socket(1 << 20, SOCK_RAW, 0));
  }
  if (word == "prctl") ::prctl(PR_GET_DUMPABLE);
  if (word == "personality") ::personality(0xffffffff);
  if (word == "ioctls")
    for (unsigned long request = 0; request < 100; ++request) ::ioctl(-1, 0x5000 + request);
  if (word == "zero") ::ioctl(-1, 0UL);
  if (word == "foreign") call_as_i386();
  // The filter of recorded_process.cc refuses each of these.
  if (word == "refused") {
    for (int i = 0; i < 2; ++i) ::syscall(SYS_quotactl, 0, nullptr, 0, nullptr);
    if (::syscall(SYS_keyctl, 0, 0, 0, 0, 0) != 0) return failed("keyctl");
    if (::socket(AF_VSOCK, SOCK_STREAM, 0) != -1) return failed("socket");
    std::thread([] { ::syscall(SYS_quotactl, 0, nullptr, 0, nullptr); }).join();
  }
  if (word == "killed-thread") std::thread([] { ::syscall(SYS_acct, nullptr); }).join();
  if (word == "killed-child") in_child([] { ::syscall(SYS_swapon, nullptr, 0); });
  if (word == "trapped-child") in_child([] { ::syscall(SYS_swapoff, nullptr); });
  if (word == "storm") {
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([] {
        for (int call = 0; call < 25'000; ++call) ::syscall(SYS_getppid);
      });
    for (std::thread& thread : threads) thread.join();
  }
  if (word == "setgroups" && ::setgroups(0, nullptr) != 0) return failed("setgroups");
  if (word == "own-user-namespace")
    in_child([] {
      if (::unshare(CLONE_NEWUSER) == 0 && ::chroot("/") == 0)
        ::syscall(SYS_sched_get_priority_max, SCHED_RR);
    });
  if (word == "wait") {  // for the end of standard input
    char byte = 0;
    while (::read(0, &byte, 1) > 0) {
    }
  }
  if (word == "byte") {  // tells that what came before is done
    if (::write(1, "x", 1) != 1) return failed("write");
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  for (int i = 1; i < count; ++i)
    if (const int status = act(words[i]); status != 0) return status;
  return 0;
}
