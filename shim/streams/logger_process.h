// SPDX-License-Identifier: Apache-2.0
// A program that takes a process's output (binary:// in C60 of the shim contract): it reads the
// standard output from its descriptor 3, the errors from 4, and says that it is ready by closing 5,
// or by a byte there; by a byte alone in its second version (binary-v2://, containerd from 2.3 on),
// to which a bare end is a failure. It ends by itself at the end of both; one that does not is
// asked to, and then killed. Should it die before, its container goes on: what it writes is then
// read and dropped.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/reaper.h"
#include "shim/streams/log_uri.h"
#include "shim/streams/pump.h"

namespace ward::shim::streams {

// Whose output it is.
struct LogOwner {
  Reaper* reaper = nullptr;
  std::string container_id;
  std::string containerd_namespace;
};

class LoggerProcess : public std::enable_shared_from_this<LoggerProcess> {
 public:
  using Ready = std::function<void(Result<void>)>;

  // `output` and `errors` are the read ends of the process's pipes.
  static Result<std::shared_ptr<LoggerProcess>> start(asio::io_context& loop, const LogOwner& owner,
                                                      const LogUri& uri, UniqueFd output,
                                                      UniqueFd errors);

  // Once: it is ready; or it ended before, or was not ready in time.
  void when_ready(Ready ready);
  void when_ended(std::function<void()> ended);  // at once (by way of the loop) where it has
  // SIGTERM now, SIGKILL later. Goes on by itself until it is reaped.
  void end();

 private:
  LoggerProcess(asio::io_context& loop, std::string program, UniqueFd ready, UniqueFd output,
                UniqueFd errors);
  void watch_ready();
  void say_ready(const Result<void>& result);
  [[nodiscard]] Result<void> closed_early() const;
  void reaped(Exit exit);
  void drop_what_comes();

  asio::io_context& loop_;
  std::string program_;
  bool says_ready_ = false;  // the end of its pipe alone says nothing
  asio::posix::stream_descriptor ready_pipe_;
  asio::steady_timer deadline_;
  UniqueFd output_, errors_;  // copies of what it reads, for the case that it dies
  UniqueFd pidfd_;
  UniqueFd start_failure_;
  pid_t pid_ = 0;
  bool ended_ = false;
  bool told_ready_ = false;
  Result<void> ready_result_;
  Ready ready_;
  std::function<void()> on_end_;
  std::vector<std::shared_ptr<Pump>> droppers_;
};

}  // namespace ward::shim::streams
