// SPDX-License-Identifier: Apache-2.0
// One process of a container as containerd sees it: its init or an exec session. Holds the state,
// the streams, the pid and who waits for its end. Runs nothing and publishes nothing; Container
// does.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/reaper.h"
#include "shim/streams/stdio.h"
#include "shim/task/operation_queue.h"
#include "shim/task/process_state.h"

namespace ward::shim::runtime {
class EarlyExec;
}

namespace ward::shim::task {

// What is said of the end of a session that never ran: nothing, as the stock shim does.
inline constexpr Exit kNeverRan{};

class Process {
 public:
  using Waiter = std::function<void(Exit)>;

  // An empty exec id is the container's init. `document`: the OCI process as JSON, for exec
  // sessions.
  Process(std::string exec_id, streams::StdioSpec stdio, std::string document = {});

  [[nodiscard]] const std::string& exec_id() const { return exec_id_; }
  [[nodiscard]] bool is_init() const { return exec_id_.empty(); }
  [[nodiscard]] const streams::StdioSpec& stdio_spec() const { return stdio_spec_; }
  [[nodiscard]] const std::string& document() const { return document_; }
  void drop_document() { std::string().swap(document_); }  // it runs and is not started again

  [[nodiscard]] ProcessState state() const { return state_; }
  Result<void> advance(ProcessStep step);
  [[nodiscard]] bool has_ended() const { return exit_.has_value(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void set_pid(pid_t pid);
  Result<void> signal(int number);  // kNotFound: "process already finished"
  // SIGKILL was sent, and it has not been reaped: it dies, or a v1 freezer holds it.
  [[nodiscard]] bool is_dying() const { return killed_ && !reaped_; }

  Result<void> open_pipes(
      asio::io_context& loop);  // what the process needs of them, before it is started
  Result<void> open_streams(asio::io_context& loop, const streams::LogOwner& owner);
  [[nodiscard]] streams::Stdio* streams() const {
    return streams_.get();
  }  // null before, and after close
  void close_streams() { streams_.reset(); }

  // An exec session whose start has not been asked for yet may have begun with it.
  void begin_early(std::shared_ptr<runtime::EarlyExec> early) { early_ = std::move(early); }
  [[nodiscard]] runtime::EarlyExec* early() const { return early_.get(); }
  void forget_early();  // with the streams that were opened for it

  // Its end, in two steps: it was reaped; everything that must be told before has been told, now it
  // has ended.
  void note_reaped(Exit exit) { reaped_ = exit; }
  [[nodiscard]] const std::optional<Exit>& reaped() const { return reaped_; }
  void end(Exit exit);
  // The start of a session failed, and it is as it was before. But Waits are answered, now and
  // until the next start.
  void note_failed_start();
  void note_start() { start_failed_ = false; }
  [[nodiscard]] const std::optional<Exit>& exit() const { return exit_; }
  void wait(Waiter waiter);  // at once where it has ended, or could not be started

  // A create or start has been asked of the runtime and its event is not out yet: the end has to
  // wait for that.
  bool in_transition = false;
  // Its create or start failed after there was a process: what is left of it is reaped in silence.
  bool abandoned = false;

  OperationQueue operations;

 private:
  std::string exec_id_;
  streams::StdioSpec stdio_spec_;
  std::string document_;
  ProcessState state_ = ProcessState::kAdded;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  bool killed_ = false;
  bool start_failed_ = false;
  std::unique_ptr<streams::Stdio> streams_;
  std::shared_ptr<runtime::EarlyExec> early_;
  std::optional<Exit> reaped_;
  std::optional<Exit> exit_;
  std::vector<Waiter> waiters_;
};

}  // namespace ward::shim::task
