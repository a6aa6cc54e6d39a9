// SPDX-License-Identifier: Apache-2.0
// The way to one receiver: HTTP, syslog, a file, journald. Lives on its sink's own thread and may
// block there, for a bounded time; it ends early when it is told to stop.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "enforcer/sinks/event.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer::sinks {

// Said from the core loop, heard by whoever waits on a thread: as a word, and as a descriptor that
// becomes readable.
class StopSignal {
 public:
  StopSignal() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  void ask() {
    asked_ = true;
    const std::uint64_t one = 1;
    (void)!::write(fd_.get(), &one, sizeof(one));
  }
  [[nodiscard]] bool asked() const { return asked_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::atomic<bool> asked_ = false;
  UniqueFd fd_;
};

// Why the next event is not taken: the receiver is not there for any, it answers and does not say,
// or it says that the event is at fault.
enum class Blame : std::uint8_t { kReceiver, kUnclear, kEvent };

struct Delivery {
  std::size_t taken = 0;  // the first so many are with the receiver
  std::string problem;    // why not all; empty: all are
  Blame blame = Blame::kReceiver;
};

class Outlet {
 public:
  Outlet() = default;
  virtual ~Outlet() = default;
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;

  // In this order. `events` is not empty. What it does not know for sure to be taken is not.
  virtual Delivery deliver(std::span<const Event> events, const StopSignal& stop) = 0;
  virtual void rest() {}  // nothing came for a while: let go of what costs
};

std::unique_ptr<Outlet> make_outlet(const profiles::SinkSettings& settings);
std::unique_ptr<Outlet> make_http_outlet(const profiles::SinkSettings& settings);
std::unique_ptr<Outlet> make_syslog_outlet(const profiles::SinkSettings& settings);
std::unique_ptr<Outlet> make_file_outlet(const profiles::SinkSettings& settings);
std::unique_ptr<Outlet> make_journald_outlet(std::string socket = "/run/systemd/journal/socket");

}  // namespace ward::enforcer::sinks
