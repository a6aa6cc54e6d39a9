// SPDX-License-Identifier: Apache-2.0
// One child process of a test: its output is collected, every wait has a deadline, and it does not
// outlive its owner. On a terminal (Options::terminal) stdin, stdout and stderr are one pty, as for
// `ctr run -t`.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/unique_fd.h"

namespace ward::test {

using Clock = std::chrono::steady_clock;
inline constexpr std::chrono::seconds kPatience{
    30};  // how long a test waits for what should take milliseconds

struct Output {
  int status =
      -1;  // exit code, 128 + signal, or -1: still running at the deadline (and then killed)
  std::string out;
  std::string err;
};

class Child {
 public:
  struct Options {
    std::vector<std::string> environment;  // KEY=VALUE, over the test's own
    bool terminal = false;
    // Where stdout and stderr go instead of to the test: for a child that writes while nobody waits
    // for it.
    std::string log = {};
  };
  Child(const std::vector<std::string>& command, const Options& options);
  Child(const std::vector<std::string>&
            command);  // NOLINT(google-explicit-constructor): reads as a command line
  ~Child();            // SIGKILL where it still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& out() const { return out_text_; }
  [[nodiscard]] const std::string& err() const { return err_text_; }

  void write(std::string_view text);
  void close_input();
  void signal(int number) const;

  // True as soon as `text` stands in the output (from `from` on), false at the end of output or at
  // the deadline.
  bool await_output(std::string_view text, std::size_t from = 0,
                    std::chrono::milliseconds patience = kPatience);
  bool await_size(std::size_t bytes, std::chrono::milliseconds patience = kPatience);
  // Exit status as in Output, or nothing at the deadline. Goes on collecting output meanwhile.
  std::optional<int> wait(std::chrono::milliseconds patience = kPatience);

 private:
  bool collect(Clock::time_point
                   deadline);  // one round of poll; false when there is nothing left to wait for
  void reap(bool block);

  pid_t pid_ = -1;
  UniqueFd pidfd_, in_, out_, err_;
  std::string out_text_, err_text_;
  std::optional<int> status_;
};

// Runs a command to its end, with `input` on stdin.
Output run(const std::vector<std::string>& command, const Child::Options& options = {},
           std::string_view input = {}, std::chrono::milliseconds patience = kPatience * 2);

// Asks again until the predicate holds; for states of the kernel and of containerd that send no
// event.
template <typename Predicate>
bool await(Predicate predicate, std::chrono::milliseconds patience = kPatience);

// kill(2), but only of a process: a look-up that found none says -1, which kill(2) takes for every
// process of the machine, and 0 is everyone in our own group. False, and a failure of the test, for
// those. After SIGSTOP it returns when every thread stands still.
bool signal_process(pid_t pid, int number);

void short_pause();  // the 5 ms between two questions of await()

template <typename Predicate>
bool await(Predicate predicate, std::chrono::milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  while (!predicate()) {
    if (Clock::now() > deadline) return false;
    short_pause();
  }
  return true;
}

}  // namespace ward::test
