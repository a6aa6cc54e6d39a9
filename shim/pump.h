// SPDX-License-Identifier: Apache-2.0
// Moves bytes from one non-blocking descriptor to another on the loop: by splice(2) where the kernel can (pipe to FIFO,
// nothing is copied), else through one buffer that all pumps share. Memory of its own is needed only while the
// destination is full. Used by Stdio, one for each direction.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/unique_fd.h"

namespace ward::shim {

class Pump : public std::enable_shared_from_this<Pump> {
 public:
  enum class WhenBroken {
    kStop,     // the destination no longer reads: close the source, its writers shall know (stdin)
    kDiscard,  // go on reading and drop: a full disk must not kill the container (output to files)
  };

  Pump(asio::io_context& loop, UniqueFd source, UniqueFd destination, WhenBroken when_broken);

  // `done` is called once, from the loop, when the source has ended or the destination is broken (kStop); both
  // descriptors are closed by then. Not after stop().
  void start(std::function<void()> done);
  void stop();

 private:
  enum class Step { kAgain, kWaitSource, kWaitDestination, kEnd };
  void run();
  Step move_some();
  Step splice_some();
  Step copy_some();
  Step flush();
  void wait(Step step);
  void close();

  asio::io_context& loop_;
  asio::posix::stream_descriptor source_;
  asio::posix::stream_descriptor destination_;  // assigned when it first has to be waited for
  UniqueFd destination_fd_;
  WhenBroken when_broken_;
  std::function<void()> done_;
  std::string pending_;  // read, but not yet taken by the destination
  bool splices_ = true;
  bool broken_ = false;
  bool stopped_ = false;
};

}  // namespace ward::shim
