// SPDX-License-Identifier: Apache-2.0
// Starts a program. The child has exactly the descriptors it is given (0, 1 and 2 default to
// /dev/null), an empty signal mask, default dispositions, and dies with the thread that started it.
// It may be held at a gate before it executes, so that someone can act on its pid first. Waiting
// for it is the caller's business.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

struct ChildSpec {
  std::string program;            // a path; find_program() makes one from a name
  std::vector<std::string> argv;  // argv[0] included
  std::vector<std::string> environment;
  std::string directory;                         // empty: the caller's
  std::vector<std::pair<int, int>> descriptors;  // {ours, the child's}; ours is borrowed
  bool gated = false;
};

// While closed the child waits before execve. One that is destroyed without being opened ends the
// child.
class Gate {
 public:
  Gate() = default;
  explicit Gate(UniqueFd write_end) : write_end_(std::move(write_end)) {}
  void open();

 private:
  UniqueFd write_end_;
};

struct Child {
  pid_t pid = -1;
  Gate gate;
  UniqueFd failure;  // for find_start_failure()
};

// A child that could not become its program exits with this status, as a program may that could.
inline constexpr int kExecFailedStatus = 127;

Result<Child> start_child(const ChildSpec& spec);

// Why a child never became its program, which nobody knows before it may pass its gate: to be asked
// after its end. Nothing where it did become its program, or was ended before it could.
std::optional<Error> find_start_failure(const UniqueFd& failure);

// The absolute path of an executable: `name` itself where it has a slash, else the first hit in
// $PATH.
Result<std::string> find_program(const std::string& name);

// For a fork that goes on without execve: an empty signal mask, default dispositions, /dev/null for
// 0, 1 and 2, and of the other descriptors only those named, which are not of the three. All three
// are open already.
Result<void> leave_behind_all_but(std::vector<int> descriptors);

// Our own environment without the variables named.
std::vector<std::string> environment_without(const std::vector<std::string>& names);

}  // namespace ward
