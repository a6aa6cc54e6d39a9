// SPDX-License-Identifier: Apache-2.0
// Bounded facts about a process from /proc/<tid>. Strings in them belong to the container: they are
// returned raw, must be escaped before they are shown, and must never decide anything (I7). None of
// these reads touches the process's own memory, so a process cannot make them wait; environ and
// cmdline can be made to wait and are read apart (see shim/supervisor). Source: proc(5)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward {

struct TaskStat {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = '?';
  bool exiting = false;  // it runs no more of its program, but cannot be waited for yet
  std::uint64_t start_time_ticks = 0;  // since boot; with the pid it names a process for ever
  std::string comm;                    // raw
};

// `comm` may hold anything, ") R 1 1 (" included: the fields are counted from the last ')'.
Result<TaskStat> parse_stat(std::string_view text);
Result<TaskStat> read_stat(pid_t tid, const std::filesystem::path& proc = "/proc");

// The lines of /proc/<tid>/status that matter for a record.
struct TaskStatus {
  pid_t thread_group = 0;
  // By which the thread knows itself: in the innermost of its PID namespaces. 0: not known.
  pid_t own_thread_group = 0;
  pid_t own_thread = 0;
  std::string uid, gid;  // the four numbers, tab separated, as the kernel wrote them
  std::string capabilities_effective;
  int no_new_privileges = -1;
  int seccomp = -1;
};
TaskStatus parse_status(std::string_view text);
Result<TaskStatus> read_status(pid_t tid, const std::filesystem::path& proc = "/proc");

std::string read_exe(
    pid_t tid,
    const std::filesystem::path& proc = "/proc");  // raw link; empty where it cannot be read

// A thread for ever: the kernel sets both, and a program can change neither. (Of a program that
// another thread than the first executes, the first one's are taken over.)
struct ThreadIdentity {
  pid_t tid = 0;
  std::uint64_t start_time_ticks = 0;  // since boot
  bool operator==(const ThreadIdentity&) const = default;
};
// The threads of the group that `tid` belongs to, at most `limit`; those that end meanwhile are
// left out.
std::vector<ThreadIdentity> read_threads(pid_t tid, std::size_t limit,
                                         const std::filesystem::path& proc = "/proc");

// All processes that `ancestor` made, or that those did, as far as nobody in between has ended.
std::vector<pid_t> read_descendants(pid_t ancestor, const std::filesystem::path& proc = "/proc");

// Whether `ancestor` made the process, or one that did, as far as nobody in between has ended.
bool descends_from(pid_t pid, pid_t ancestor, const std::filesystem::path& proc = "/proc");

}  // namespace ward
