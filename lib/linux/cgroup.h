// SPDX-License-Identifier: Apache-2.0
// One cgroup, held as a directory descriptor so that a path that is reused later cannot mislead us:
// freeze, kill, list. Used by the shim to contain a container. All calls are short file operations;
// waiting is the caller's (poll the descriptor of open_events(), or ask again).
// Sources: Documentation/admin-guide/cgroup-v2.rst (cgroup.freeze, cgroup.kill), cgroup-v1/freezer-subsystem.rst
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

enum class CgroupKind { kUnified, kFreezerV1 };

class Cgroup {
 public:
  static Result<Cgroup> open(CgroupKind kind, const std::filesystem::path& directory);

  [[nodiscard]] CgroupKind kind() const { return kind_; }
  [[nodiscard]] const std::string& path() const {
    return path_;
  }  // for people; work goes through the descriptor
  [[nodiscard]] int directory() const { return directory_.get(); }

  // Returns when the request is written, not when every process has stopped.
  Result<void> request_freeze(bool freeze);
  [[nodiscard]] Result<bool> is_frozen() const;

  // A process that leaves a frozen v1 cgroup for a parent that is not frozen runs again.
  Result<void> move_to_parent(pid_t pid);

  // cgroup.events, readable with POLLPRI after every change of `populated` or `frozen`;
  // kUnimplemented on v1.
  [[nodiscard]] Result<UniqueFd> open_events() const;

  // False also when the cgroup was removed.
  [[nodiscard]] Result<bool> is_populated() const;

  // Processes here and below, at most `limit`.
  [[nodiscard]] Result<std::vector<pid_t>> pids(std::size_t limit = 65536) const;

  // One pass of killing. Unified: cgroup.kill, which takes new forks with it. v1, or a kernel
  // before 5.14: SIGKILL to every process, then thaw, because a frozen v1 process does not die
  // before; repeat until is_populated() is false.
  Result<void> kill();

 private:
  Cgroup(CgroupKind kind, std::string path, UniqueFd directory);
  CgroupKind kind_;
  std::string path_;
  UniqueFd directory_;
};

// The cgroups that hold exactly one container's processes. At least one is set.
struct TaskCgroups {
  std::optional<Cgroup> unified;
  std::optional<Cgroup> freezer;
};

// Finds those of `pid`. A cgroup that also holds us (the root, or one we live in or below) is never
// returned: freezing or killing it would take the node's own services. kFailedPrecondition where
// nothing is left.
Result<TaskCgroups> open_cgroups_of(pid_t pid, const std::filesystem::path& proc = "/proc");

// Those of a container whose processes may be gone, by their directories (empty: none). Refused
// likewise, and also where a directory is not one below the hierarchy's mount point;
// kFailedPrecondition where nothing is left.
Result<TaskCgroups> open_cgroups_at(const std::filesystem::path& unified,
                                    const std::filesystem::path& freezer,
                                    const std::filesystem::path& proc = "/proc");

}  // namespace ward
