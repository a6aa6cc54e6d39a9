// SPDX-License-Identifier: Apache-2.0
// Looks whether the program that an exec session is to run was changed after its container began: a
// workload that overwrites what a probe runs does that. The look is made by a child, in the
// container's mount namespace, while the runtime starts the session: it delays nothing, and what it
// finds is evidence, never input of a decision (I7). A flag, no fence: who puts the old file back
// by renaming a directory, or changes a library, is not seen.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace ward::shim::guard {

struct SessionProgram {
  std::string process_json;            // of the session
  pid_t container = 0;                 // a process of ours, whose mount namespace it is
  std::int64_t container_wall_ns = 0;  // when the container began
};

// As of find_newer_program: when the container's own program has not run yet. The clock that files
// are stamped with, which is behind the exact one.
std::int64_t wall_ns_of_files();

// `found` comes from the loop, with the name of the file as it was looked up, where one is newer,
// and not at all otherwise. `under_way` counts looks that have not ended: a container gets no more
// than eight at once, and each is ended after two seconds. One that waits for a file system of user
// space, or for NFS, goes on until that answers: behind eight of these nothing is looked at (T38).
void look_at_session_program(asio::io_context& loop, const SessionProgram& session,
                             const std::shared_ptr<int>& under_way,
                             std::function<void(std::string)> found);

}  // namespace ward::shim::guard
