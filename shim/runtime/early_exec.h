// SPDX-License-Identifier: Apache-2.0
// A `runc exec` that is begun at Exec and waits for its process document until Start: in between
// containerd answers its client and is asked again, and the runtime, half of whose time goes into
// its own beginning, is through with that. It reads the document from a pipe, so it has done
// nothing yet that could be seen. It is killed with this object and after some seconds; with the
// shim it ends by itself, because the pipe does.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/unique_fd.h"
#include "shim/runtime/runc.h"

namespace ward::shim::runtime {

class EarlyExec : public std::enable_shared_from_this<EarlyExec> {
 public:
  static constexpr std::chrono::seconds kLongestWait{2};

  ~EarlyExec() { end(); }
  EarlyExec(const EarlyExec&) = delete;
  EarlyExec& operator=(const EarlyExec&) = delete;

  // `call`: exec without its --process. `on_end`: it waits no longer, and nobody has called go().
  static std::shared_ptr<EarlyExec> begin(asio::io_context& loop, Runc& runc, RuncCall call,
                                          std::function<void()> on_end);

  [[nodiscard]] bool waits() const;
  [[nodiscard]] pid_t pid() const { return pid_; }

  // Hands the document over, after which `done` hears of the end as from Runc::run; or `unread`,
  // where the runtime ended before it took the first byte of it, and so has done nothing. False,
  // and nobody hears of anything, where it has ended already or the document does not fit into the
  // pipe at once. In both cases the runtime is to be run anew.
  bool go(const std::string& document, Runc::Done done, std::function<void()> unread);

 private:
  explicit EarlyExec(asio::io_context& loop) : limit_(loop) {}
  void end();
  [[nodiscard]] bool was_read() const;

  asio::steady_timer limit_;
  pid_t pid_ = 0;
  UniqueFd document_;  // the write end, while it waits
  UniqueFd given_;     // a read end, once it has the document: to see what was taken
  std::size_t given_bytes_ = 0;
  Runc::Done done_;
  std::function<void()> unread_;
  std::shared_ptr<EarlyExec> self_;  // from go() until the runtime is back
};

}  // namespace ward::shim::runtime
