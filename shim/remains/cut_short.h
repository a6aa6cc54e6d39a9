// SPDX-License-Identifier: Apache-2.0
// What is true of a container after the runtime ended in the middle of a verb, or a signal came in
// between. One that is killed neither finishes its work nor undoes it, and its own record does not
// know how far it came: the kernel is asked.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <functional>
#include <string>

namespace ward::shim::remains {

// After a failed create: the cgroups that the runtime had entered and not yet written down. They go
// as soon as its half-made process has noticed the end; `done` is called then, at once where there
// are none, after two seconds at most.
void remove_unrecorded_cgroups(asio::io_context& loop, const std::string& bundle,
                               std::function<void()> done);

// By one freezer or the other. Not of a container that shares its cgroup with others, nor of one
// that is gone.
bool is_frozen(pid_t init);
void thaw(pid_t init);

// A v1 freezer holds even SIGKILL back. Takes `pid`, which was sent one and is not reaped yet, out
// of that cgroup, so that it dies alone: the others stay frozen. Not where it is not frozen.
void let_die(pid_t pid);

}  // namespace ward::shim::remains
