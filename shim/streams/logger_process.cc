// SPDX-License-Identifier: Apache-2.0
#include "shim/streams/logger_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <chrono>
#include <utility>

#include "lib/base/log.h"
#include "lib/linux/child_process.h"
#include "lib/linux/pidfd.h"
#include "lib/linux/process_info.h"

namespace ward::shim::streams {
namespace {

constexpr std::chrono::seconds kReadyDeadline{10};
constexpr std::chrono::seconds kTermDeadline{12};
constexpr int kOutputDescriptor = 3;
constexpr int kErrorsDescriptor = 4;
constexpr int kReadyDescriptor = 5;

void make_non_blocking(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// The pipe's end comes a moment before the process can be waited for; the kernel marks it as
// exiting before that.
bool is_ending(pid_t pid) {
  const auto stat = read_stat(pid);
  return !stat || stat->state == 'Z' || stat->state == 'X' || stat->exiting;
}

}  // namespace

LoggerProcess::LoggerProcess(asio::io_context& loop, std::string program, UniqueFd ready,
                             UniqueFd output, UniqueFd errors)
    : loop_(loop),
      program_(std::move(program)),
      ready_pipe_(loop, ready.release()),
      deadline_(loop),
      output_(std::move(output)),
      errors_(std::move(errors)) {}

Result<std::shared_ptr<LoggerProcess>> LoggerProcess::start(asio::io_context& loop,
                                                            const LogOwner& owner,
                                                            const LogUri& uri, UniqueFd output,
                                                            UniqueFd errors) {
  if (owner.reaper == nullptr) return fail(Code::kInternal, "nobody would wait for the logger");
  if (::access(uri.path.c_str(), X_OK) != 0) return fail_errno("execute the logger " + uri.path);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
  UniqueFd ready_read(ends[0]);
  const UniqueFd ready_write(ends[1]);
  make_non_blocking(ready_read);

  ChildSpec spec;
  spec.program = uri.path;
  spec.argv = {uri.path};
  spec.argv.insert(spec.argv.end(), uri.arguments.begin(), uri.arguments.end());
  spec.environment = {"CONTAINER_ID=" + owner.container_id,
                      "CONTAINER_NAMESPACE=" + owner.containerd_namespace};
  spec.descriptors = {{output.get(), kOutputDescriptor},
                      {errors.get(), kErrorsDescriptor},
                      {ready_write.get(), kReadyDescriptor}};
  auto child = start_child(spec);
  if (!child) return fail_with("start the logger", child.error());
  std::shared_ptr<LoggerProcess> logger(new LoggerProcess(loop, uri.path, std::move(ready_read),
                                                          std::move(output), std::move(errors)));
  logger->pid_ = child->pid;
  logger->says_ready_ = uri.says_ready();
  logger->start_failure_ = std::move(child->failure);
  if (auto pidfd = open_pidfd(child->pid)) logger->pidfd_ = std::move(*pidfd);
  owner.reaper->watch(child->pid, [logger](Exit exit) { logger->reaped(exit); });
  logger->watch_ready();
  return logger;
}

void LoggerProcess::watch_ready() {
  ready_pipe_.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [self = shared_from_this()](const asio::error_code& error) {
        if (error || self->told_ready_) return;
        char byte = 0;
        const auto n = ::read(self->ready_pipe_.native_handle(), &byte, 1);
        if (n < 0) return self->watch_ready();
        // The end of the pipe is the word "ready" of one that lives, and nothing of one that does
        // not: then reaped() says how it ended.
        if (n == 0 && !self->ended_ && is_ending(self->pid_)) return;
        self->say_ready(n > 0 || !self->says_ready_ ? Result<void>() : self->closed_early());
      });
  deadline_.expires_after(kReadyDeadline);
  deadline_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (!error)
      self->say_ready(fail(Code::kDeadlineExceeded,
                           "the logger " + self->program_ + " is not ready after 10 s"));
  });
}

Result<void> LoggerProcess::closed_early() const {
  return fail(Code::kFailedPrecondition,
              "the logger " + program_ +
                  " closed its descriptor 5 without a byte; as binary-v2 it has to write "
                  "one there when it is ready (or is it one for binary://?)");
}

void LoggerProcess::say_ready(const Result<void>& result) {
  if (std::exchange(told_ready_, true)) return;
  asio::error_code ignored;
  ready_pipe_.close(ignored);
  deadline_.cancel();
  ready_result_ = result;
  if (const auto ready = std::exchange(ready_, nullptr)) ready(result);
}

void LoggerProcess::when_ready(Ready ready) {
  if (!told_ready_) {
    ready_ = std::move(ready);
    return;
  }
  asio::post(loop_,
             [self = shared_from_this(), ready = std::move(ready)] { ready(self->ready_result_); });
}

void LoggerProcess::when_ended(std::function<void()> ended) {
  if (ended_) {
    asio::post(loop_, std::move(ended));
  } else {
    on_end_ = std::move(ended);
  }
}

void LoggerProcess::reaped(Exit exit) {
  ended_ = true;
  pidfd_.reset();
  deadline_.cancel();
  const auto never_ran = find_start_failure(start_failure_);
  start_failure_.reset();
  if (!told_ready_ && never_ran) {
    say_ready(fail_with("start the logger " + program_, *never_ran));
  } else if (!told_ready_) {
    say_ready(fail(Code::kFailedPrecondition, "the logger " + program_ +
                                                  " ended before it was ready, with status " +
                                                  std::to_string(exit.code())));
  } else if (exit.wait_status != 0) {
    log::warn("a logger failed; what its container writes is dropped",
              {{"program", program_}, {"status", std::to_string(exit.code())}});
  }
  drop_what_comes();
  if (const auto ended = std::exchange(on_end_, nullptr)) ended();
}

// Without a reader the container's next write would be its death by SIGPIPE, with one that does not
// read it would block for ever.
void LoggerProcess::drop_what_comes() {
  for (UniqueFd* source : {&output_, &errors_}) {
    if (!*source) continue;
    UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    make_non_blocking(*source);
    droppers_.push_back(std::make_shared<Pump>(loop_, std::move(*source), std::move(nowhere),
                                               Pump::WhenBroken::kDiscard));
    droppers_.back()->start(nullptr);
  }
}

void LoggerProcess::end() {
  say_ready(fail(Code::kCanceled, "its process has gone"));
  on_end_ = nullptr;
  output_.reset();
  errors_.reset();
  for (const auto& dropper : droppers_) dropper->stop();
  droppers_.clear();
  if (ended_) return;
  (void)send_signal(pidfd_, SIGTERM);
  deadline_.expires_after(kTermDeadline);
  deadline_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (!error && !self->ended_) (void)send_signal(self->pidfd_, SIGKILL);
  });
}

}  // namespace ward::shim::streams
