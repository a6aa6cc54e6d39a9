// SPDX-License-Identifier: Apache-2.0
// Makes what the runtime does with cgroups quick. A write to a cgroup.procs takes the kernel's
// cgroup_threadgroup_rwsem; the first to do so after a pause waits for an RCU grace period (6 to 15
// ms, a third of a `runc exec`), whoever comes within the next one does not. So a small process of
// our own begins early and writes "0" to its own cgroup.procs again and again: it moves to where it
// is, and nothing moves. Only time depends on it: what fails here is not told, and where the kernel
// refuses or needs none of it, it is not tried again.
// Source: kernel/rcu/sync.c, kernel/cgroup/cgroup.c (cgroup_procs_write_start)
#pragma once

#include <memory>

#include "lib/base/unique_fd.h"
#include "lib/linux/reaper.h"

namespace ward::shim::runtime {

class WarmCgroupLock {
 public:
  explicit WarmCgroupLock(Reaper& reaper) : reaper_(reaper) {}
  WarmCgroupLock(const WarmCgroupLock&) = delete;
  WarmCgroupLock& operator=(const WarmCgroupLock&) = delete;

  // Warm for the next 80 ms: a runtime will be at work soon.
  void warm();

  // The same; and the last one gone it cools down at once.
  using Hold = std::shared_ptr<void>;
  [[nodiscard]] Hold hold();

 private:
  void start();

  Reaper& reaper_;
  bool useless_ = false;
  int started_ = 0;  // processes so far
  UniqueFd tells_;  // the write end of a pipe: a byte prolongs, its end ends; set while the process
                    // lives
  std::weak_ptr<void> held_;
};

}  // namespace ward::shim::runtime
