// SPDX-License-Identifier: Apache-2.0
// The states of a container process and what may happen in each, as values: a table, no I/O.
// Process asks it before it does anything; the refusals are the texts that clients of containerd
// know.
#pragma once

#include <string_view>

#include "lib/base/result.h"

namespace ward::shim::task {

enum class ProcessState {
  kAdded,    // an exec session that was registered, or an init whose `create` has not come back
  kCreated,  // an init that waits for Start
  kRunning,
  kPausing,
  kPaused,
  kStopped,
  kDeleted,
};

enum class ProcessStep {
  kCreate,
  kStart,
  kPause,
  kPaused,
  kResume,
  kExec,
  kExit,
  kDelete,
  kUpdate,
  kCheckpoint
};

// Where the step leads, or kFailedPrecondition (kNotFound for what is deleted) with the reason.
// kPause leads to kPausing, kPaused from there on to kPaused; kExec (a new session beside this
// init) kUpdate and kCheckpoint change nothing.
Result<ProcessState> next_state(ProcessState state, ProcessStep step);

std::string_view state_name(ProcessState state);

}  // namespace ward::shim::task
