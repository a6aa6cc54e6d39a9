// SPDX-License-Identifier: Apache-2.0
// Whether the cgroup that a process is in stands still, by one freezer or the other.
// Source: Documentation/admin-guide/cgroup-v2.rst "cgroup.freeze", cgroup-v1/freezer-subsystem.rst
#pragma once

#include <sys/types.h>

namespace ward {

// Not of a container that shares its cgroup with others, nor of one that is gone.
bool is_frozen(pid_t init);
void thaw(pid_t init);

// A v1 freezer holds even SIGKILL back. Takes `pid`, which was sent one and is not reaped yet, out
// of that cgroup, so that it dies alone: the others stay frozen. Not where it is not frozen.
void let_die(pid_t pid);

}  // namespace ward
