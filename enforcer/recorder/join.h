// SPDX-License-Identifier: Apache-2.0
// A container that runs already, taken into a run whole, threads included: by a BPF iterator over
// all tasks, loaded for it and gone afterwards. Used by recorder.cc.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "enforcer/recorder/bpf/record.h"
#include "enforcer/recorder/kernel_side.h"
#include "lib/base/result.h"

namespace ward::recorder {

// Where a container's processes are, by its first one.
struct ContainerPlace {
  std::uint64_t pid_ns = 0;   // inode
  std::uint32_t user_ns = 0;  // likewise
  std::uint32_t depth = 0;    // of its pid namespace below ours
};

// kNotFound: the process is gone. kFailedPrecondition: its pid namespace is not the container's
// own, so nobody can say which of the processes there are.
Result<ContainerPlace> find_container(pid_t first);

// Tags everything in the place of a run that was written as joined; gives the number of its tasks.
// Whatever was not found, because the container made tasks faster than they were looked at, counts
// as lost.
Result<std::uint64_t> join(const KernelSide& kernel, const ward_tag& model,
                           const ContainerPlace& place);

}  // namespace ward::recorder
