// SPDX-License-Identifier: Apache-2.0
// What a recorder saw, as plain values. A recorder fills these, the store keeps them, coverage and
// generate read them. Runs are sets that only grow: recordings of replicas and restarts merge by
// union on the run's id, and are never summed, because the statistics need incidence (in how many
// windows was a call seen).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "profiles/filter/terms.h"
#include "profiles/learn/source.h"

namespace ward::profiles {

using filter::Origin;

inline constexpr std::size_t kMaxArgumentValues =
    32;  // distinct values of one argument kept in one run

struct ArgumentValues {
  std::set<std::uint64_t> values;  // raw register values
  bool overflowed =
      false;  // there were more than kMaxArgumentValues: `values` is not the whole truth
  bool operator==(const ArgumentValues&) const = default;
};

// The scalar arguments that are worth recording. Everything else is a pointer, a size or a
// descriptor.
struct WatchedArgument {
  std::string_view syscall;
  std::uint32_t index;
};
inline constexpr std::array<WatchedArgument, 16> kWatchedArguments = {{
    {"socket", 0},
    {"socket", 1},
    {"socketpair", 0},
    {"socketpair", 1},
    {"clone", 0},
    {"unshare", 0},
    {"setns", 1},
    {"prctl", 0},
    {"ioctl", 1},
    {"fcntl", 1},
    {"personality", 0},
    {"setsockopt", 1},
    {"setsockopt", 2},
    {"mmap", 2},
    {"mprotect", 2},
    {"seccomp", 0},
}};

// Which values came together, for the call whose danger is in the combination: socket(family, type,
// protocol). Where one of them is larger than a socket's can be, the list overflows.
inline constexpr std::string_view kTupleCall = "socket";
inline constexpr std::array<std::uint32_t, 3> kTupleBits = {16, 24, 24};  // of arguments 0, 1 and 2
using ArgumentTuple = std::array<std::uint64_t, 3>;
struct ArgumentTuples {
  std::set<ArgumentTuple> values;
  bool overflowed = false;
  bool operator==(const ArgumentTuples&) const = default;
};

// One system call of one origin in one run. Times are monotonic, since the first exec of the
// container's own program.
struct ObservedSyscall {
  int nr = 0;
  Origin origin = Origin::kWorkload;
  std::uint64_t count = 0;
  std::int64_t first_seen_ns = 0;
  std::int64_t last_seen_ns = 0;
  std::map<std::uint32_t, ArgumentValues> arguments;  // by index; only kWatchedArguments
  std::optional<ArgumentTuples> together =
      {};  // of kTupleCall; absent in recordings of older versions
  bool operator==(const ObservedSyscall&) const = default;
};

// In how many windows of one length was each call of the workload seen. Only windows with at least
// one call count, so that an idle night does not look like evidence.
struct Incidence {
  std::int64_t window_ns = 0;
  std::uint32_t windows = 0;             // windows with activity
  std::map<int, std::uint32_t> seen_in;  // by syscall number: 1..windows
  bool operator==(const Incidence&) const = default;
};
inline constexpr std::int64_t kFineWindow_ns = 1'000'000'000;
inline constexpr std::int64_t kCoarseWindow_ns = 5'000'000'000;

struct ObservedCapability {
  std::string name;  // "CAP_CHOWN"
  Origin origin = Origin::kWorkload;
  std::uint64_t count = 0;  // checks that were granted after the first exec
  bool operator==(const ObservedCapability&) const = default;
};

// Of a container's life, what is known from the kernel. Nothing here is guessed from calls.
enum class Receiver {
  kFirst,  // the process whose end is the container's
  kOther,  // of the workload
  kExec,   // of an exec session
};
enum class Sender {
  kOutside,   // not of the container: containerd's Kill (through the runtime), an administrator,
              // another container
  kWorkload,  // inside
  kExec,      // inside, of an exec session
  kKernel,    // the end of a child, a timer, a terminal, a fault, too little memory
};
inline constexpr int kSignals = 64;

// Everything of one kind. Delivered means that the receiver had a handler, waited for it, or took
// the default action.
struct SeenSignal {
  int number = 0;
  Receiver to = Receiver::kFirst;
  Sender from = Sender::kOutside;
  std::uint64_t delivered = 0;
  std::uint64_t ignored =
      0;  // the receiver ignores it, as the first process does without a handler; or was dying
  std::int64_t last_ns = 0;  // when one was last delivered, since the first exec
  auto operator<=>(const SeenSignal&) const =
      default;  // NOLINT(modernize-use-nullptr): of the compiler's making
};

struct ProcessEnd {
  int wait_status = 0;  // as wait(2) tells it
  std::int64_t at_ns = 0;
  bool operator==(const ProcessEnd&) const = default;
};

struct Life {
  std::vector<SeenSignal> signals;
  bool overflowed = false;  // there were more kinds than are kept
  std::uint32_t exec_sessions = 0;
  std::set<int> handled;  // the first process has or had a handler for it, since its last exec
  std::optional<ProcessEnd> end;  // of the first process; absent: it runs, or nobody saw it
  bool operator==(const Life&) const = default;
};

// One container from create to exit; or a part of its life, where somebody asked for a recording.
struct Run {
  std::string id;
  std::string container;
  std::int64_t started_wall_ns = 0;
  std::int64_t ended_wall_ns = 0;  // 0: still running
  std::uint32_t exit_status = 0;
  bool graceful = false;  // ended with a status, or by the default action of SIGTERM or SIGQUIT
  std::string runtime_sha256;
  bool no_new_privileges = false;
  std::vector<ObservedSyscall> syscalls;  // the container's own program and its exec sessions
  std::vector<ObservedSyscall> runtime;   // before the first exec: the runtime layer, kept apart
  std::vector<ObservedCapability> capabilities;
  std::vector<std::string> programs;  // executables seen, escaped
  Incidence fine;                     // kFineWindow_ns
  Incidence coarse;                   // kCoarseWindow_ns
  std::uint64_t lost_events = 0;
  std::uint64_t foreign_calls =
      0;  // through another ABI (int 0x80, x32): never mixed with native numbers, not learnable
  // Tried by the container's own program and its exec sessions, and refused by a filter, most often
  // the container's own: these did not run.
  std::vector<ObservedSyscall> refused;
  std::vector<std::string> foreign_programs;  // of `programs`, those that made the foreign calls
  ArgumentValues unknown_calls;  // native numbers above all that the recorder has room for
  std::optional<Life> life;      // absent in recordings of older versions
  Source source = {};
  bool start_seen = true;  // false: the container ran already when the recording began
  std::string record_id;   // the request of a person that it was made for; empty: a policy's
  bool operator==(const Run&) const = default;
};

struct Observations {
  std::string workload;
  std::string recorder;  // "ebpf", "notify"
  std::vector<Run> runs;
  bool operator==(const Observations&) const = default;
};

}  // namespace ward::profiles
