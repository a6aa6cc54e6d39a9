// SPDX-License-Identifier: Apache-2.0
// The eBPF recorder: what the containers in mode learn really call. wardd's core thread owns the
// one Recorder of a node; nothing here is thread-safe and nothing blocks longer than loading a BPF
// program. Programs are attached only while a run is being recorded. Which events count is said in
// docs/learning.md. No RPC, no store: values out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/learn/observation.h"

namespace ward::recorder {

inline constexpr std::size_t kMaxRuns = 256;  // recorded at the same moment
inline constexpr std::size_t kMaxRunIdBytes = 127;

// Why recordings in this directory would not outlive wardd: "" where they would, else a sentence
// that says what is missing and how to get it ("/sys/fs/bpf is not a bpf file system: mount -t bpf
// bpf /sys/fs/bpf"). Mounts nothing.
std::string what_pinning_lacks(const std::filesystem::path& pin_dir);

enum class Pins { kKeep, kRemove };

class Recorder {
 public:
  // Adopts what an earlier wardd left pinned in `pin_dir` (for example /sys/fs/bpf/ward-<node>), or
  // removes it where it is of another layout or incomplete (see `note`). An empty `pin_dir`, or one
  // that cannot be used, means recordings end with this process. Never fails: a recorder that
  // cannot record says so in status() and refuses every begin().
  static std::unique_ptr<Recorder> open(const std::filesystem::path& pin_dir);

  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();  // as shutdown(Pins::kKeep)

  [[nodiscard]] bool available() const;
  [[nodiscard]] std::string status()
      const;  // "ebpf", "ebpf (not pinned: <why>)", "none: <why>"; NodeStatus.recorder
  [[nodiscard]] std::string note()
      const;  // what open() found and did; empty: nothing worth a line in the log

  // Opens a run and tags `pid`: the forked runtime process, waiting and with one thread. From here
  // on all its descendants are tagged, threads too. kAlreadyExists, kResourceExhausted (kMaxRuns),
  // kNotFound (the process is gone), kFailedPrecondition (cannot record: message as status()).
  Result<void> begin(const std::string& run_id, pid_t pid);

  // Opens a run for a container that runs already: `first` is the process whose end is the
  // container's. Nothing is tagged yet, so that exec sessions that begin now find the run open.
  // Errors as of begin(), and kFailedPrecondition where the container cannot be told apart.
  Result<void> begin_running(const std::string& run_id, pid_t first);

  // Tags all tasks of such a container, threads too; gives their number. Whatever they called
  // before is not known, but for the call that each of them is in.
  Result<std::uint64_t> join(const std::string& run_id, pid_t first);

  // Tags the runtime process of an exec session of an open run. kNotFound where the run is not
  // open.
  Result<void> add_exec(const std::string& run_id, pid_t pid);

  // What was seen so far: fills id, started_wall_ns, syscalls, runtime, capabilities, programs,
  // fine, coarse, lost_events, foreign_calls and the programs that made them, unknown_calls, life;
  // the rest of profiles::Run is the caller's.
  Result<profiles::Run> snapshot(const std::string& run_id) const;

  // The last snapshot; closes the run. With the last open run everything is detached and unpinned.
  Result<profiles::Run> end(const std::string& run_id);

  [[nodiscard]] std::vector<std::string> open_runs() const;  // after open(): the adopted ones

  // kRemove: open runs are dropped, no program, map or pin stays. kKeep: pinned ones go on
  // recording without us.
  void shutdown(Pins pins);

 private:
  struct State;
  explicit Recorder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ward::recorder
