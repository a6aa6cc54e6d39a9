// SPDX-License-Identifier: Apache-2.0
// Moves bytes from one non-blocking descriptor to another on the loop: by splice(2) where the
// kernel can (pipe to FIFO, nothing is copied), else through one buffer that all pumps share.
// Memory of its own is needed only while the destination is full, or holds it back. Used by Stdio,
// one for each direction.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/unique_fd.h"

namespace ward::shim::streams {

class Pump : public std::enable_shared_from_this<Pump> {
 public:
  enum class WhenBroken {
    kStop,     // the destination no longer reads: close the source, its writers shall know (stdin)
    kDiscard,  // go on reading and drop: a full disk must not kill the container (output to files)
  };

  // A descriptor that others use as well, as the two directions of a terminal: the loop knows each
  // by its number, once. The owners who share it close it.
  using Shared = std::shared_ptr<asio::posix::stream_descriptor>;

  Pump(asio::io_context& loop, UniqueFd source, UniqueFd destination, WhenBroken when_broken);
  Pump(asio::io_context& loop, Shared source, UniqueFd destination, WhenBroken when_broken);
  Pump(asio::io_context& loop, UniqueFd source, Shared destination, WhenBroken when_broken);

  // `done` is called once, from the loop, when the source has ended or the destination is broken
  // (kStop); both descriptors are closed by then. Not after stop().
  void start(std::function<void()> done);
  void stop();

  // What comes is read and kept, so that its writer does not wait, until release() lets it go on or
  // drops it. What is more than kMostHeld is dropped, or ends the holding.
  static constexpr std::size_t kMostHeld = 1U << 20U;
  enum class WhenFull { kDrop, kRelease };
  void hold(WhenFull when_full);
  enum class Held { kGoesOn, kIsDropped };
  void release(Held held);

 private:
  enum class Step { kAgain, kWaitSource, kWaitDestination, kWaitRelease, kEnd };
  void run();
  void run_soon();
  Step move_some();
  Step hold_some();
  Step splice_some();
  Step copy_some();
  Step flush();
  void wait(Step step);
  void close();

  asio::io_context& loop_;
  [[nodiscard]] int destination() const;

  Shared source_;
  Shared destination_;  // made when it first has to be waited for
  UniqueFd destination_fd_;
  bool shares_source_ = false, shares_destination_ = false;
  WhenBroken when_broken_;
  std::function<void()> done_;
  std::string pending_;  // read, but not yet taken by the destination
  std::optional<WhenFull> hold_;
  unsigned turn_ = 0;  // a wait that began in an earlier one is nobody's any more
  bool splices_ = true;
  bool broken_ = false;
  bool stopped_ = false;
  bool waits_for_source_ = false;
};

}  // namespace ward::shim::streams
