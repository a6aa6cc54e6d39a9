// SPDX-License-Identifier: Apache-2.0
#include "shim/task/process.h"

#include <csignal>
#include <utility>

#include "lib/linux/pidfd.h"

namespace ward::shim::task {

Process::Process(std::string exec_id, streams::StdioSpec stdio, std::string document)
    : exec_id_(std::move(exec_id)), stdio_spec_(std::move(stdio)), document_(std::move(document)) {}

Result<void> Process::advance(ProcessStep step) {
  auto next = next_state(state_, step);
  if (!next) return tl::unexpected(next.error());
  state_ = *next;
  return {};
}

void Process::set_pid(pid_t pid) {
  pid_ = pid;
  // It may be over already; then nothing is left to signal and its status is on the way.
  if (auto fd = open_pidfd(pid)) pidfd_ = std::move(*fd);
}

Result<void> Process::signal(int number) {
  if (!pidfd_ || reaped_) return fail(Code::kNotFound, "process already finished");
  auto sent = send_signal(pidfd_, number);
  killed_ = killed_ || (sent && number == SIGKILL);
  return sent;
}

Result<void> Process::open_streams(asio::io_context& loop, const streams::LogOwner& owner) {
  if (streams_) return streams_->connect(stdio_spec_, owner);
  auto streams = streams::Stdio::open(loop, stdio_spec_, owner);
  if (!streams) return tl::unexpected(streams.error());
  streams_ = std::move(*streams);
  return {};
}

Result<void> Process::open_pipes(asio::io_context& loop) {
  auto streams = streams::Stdio::open_pipes(loop, stdio_spec_);
  if (!streams) return tl::unexpected(streams.error());
  streams_ = std::move(*streams);
  return {};
}

void Process::forget_early() {
  if (state_ != ProcessState::kAdded || in_transition) return;
  early_.reset();
  streams_.reset();
}

void Process::end(Exit exit) {
  exit_ = exit;
  pidfd_.reset();
  if (state_ != ProcessState::kDeleted) state_ = ProcessState::kStopped;
  for (const auto& waiter : std::exchange(waiters_, {})) waiter(exit);
}

void Process::note_failed_start() {
  pid_ = 0;
  pidfd_.reset();
  killed_ = false;
  reaped_.reset();
  start_failed_ = true;
  for (const auto& waiter : std::exchange(waiters_, {})) waiter(kNeverRan);
}

void Process::wait(Waiter waiter) {
  if (exit_) return waiter(*exit_);
  if (start_failed_) return waiter(kNeverRan);
  waiters_.push_back(std::move(waiter));
}

}  // namespace ward::shim::task
