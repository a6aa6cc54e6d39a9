// SPDX-License-Identifier: Apache-2.0
#include "shim/task/process_state.h"

#include <string>

namespace ward::shim::task {
namespace {

std::string_view refusal(ProcessStep step) {
  switch (step) {
    case ProcessStep::kCreate: return "cannot create a";
    case ProcessStep::kStart: return "cannot start a";
    case ProcessStep::kPause:
    case ProcessStep::kPaused: return "cannot pause task in";
    case ProcessStep::kResume: return "cannot resume task in";
    case ProcessStep::kExec: return "cannot exec in a";
    case ProcessStep::kExit: return "cannot end a";
    case ProcessStep::kDelete: return "cannot delete a";
    case ProcessStep::kUpdate: return "cannot update a";
    case ProcessStep::kCheckpoint: return "cannot checkpoint a";
  }
  return "cannot change a";
}

tl::unexpected<Error> refuse(ProcessState state, ProcessStep step) {
  if (state == ProcessState::kDeleted) return fail(Code::kNotFound, "container not created");
  std::string text(refusal(step));
  text += ' ';
  text += state_name(state);
  switch (step) {
    case ProcessStep::kPause:
    case ProcessStep::kPaused:
    case ProcessStep::kResume: text += " state"; break;
    case ProcessStep::kExec:
      text += state == ProcessState::kStopped ? " container" : " state";
      break;
    case ProcessStep::kUpdate:
    case ProcessStep::kCheckpoint: text += " container"; break;
    default: text += " process"; break;
  }
  return fail(Code::kFailedPrecondition, std::move(text));
}

}  // namespace

std::string_view state_name(ProcessState state) {
  switch (state) {
    case ProcessState::kAdded: return "not yet created";
    case ProcessState::kCreated: return "created";
    case ProcessState::kRunning: return "running";
    case ProcessState::kPausing: return "pausing";
    case ProcessState::kPaused: return "paused";
    case ProcessState::kStopped: return "stopped";
    case ProcessState::kDeleted: return "deleted";
  }
  return "unknown";
}

Result<ProcessState> next_state(ProcessState state, ProcessStep step) {
  using S = ProcessState;
  switch (step) {
    case ProcessStep::kCreate:
      if (state == S::kAdded) return S::kCreated;
      break;
    case ProcessStep::kStart:
      if (state == S::kAdded || state == S::kCreated) return S::kRunning;
      break;
    case ProcessStep::kPause:
      if (state == S::kRunning) return S::kPausing;
      break;
    case ProcessStep::kPaused:
      if (state == S::kPausing || state == S::kRunning) return S::kPaused;
      break;
    case ProcessStep::kResume:
      if (state == S::kPaused || state == S::kPausing) return S::kRunning;
      break;
    case ProcessStep::kExec:
      // A session may be registered before the init was started; its own start then waits for that.
      if (state == S::kCreated || state == S::kRunning) return state;
      break;
    case ProcessStep::kExit:
      if (state != S::kDeleted) return S::kStopped;
      break;
    case ProcessStep::kDelete:
      if (state == S::kAdded || state == S::kCreated || state == S::kStopped) return S::kDeleted;
      break;
    case ProcessStep::kUpdate:
      if (state == S::kCreated || state == S::kRunning || state == S::kPausing ||
          state == S::kPaused)
        return state;
      break;
    case ProcessStep::kCheckpoint:
      if (state == S::kRunning || state == S::kPaused) return state;
      break;
  }
  return refuse(state, step);
}

}  // namespace ward::shim::task
