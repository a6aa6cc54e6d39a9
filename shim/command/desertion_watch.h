// SPDX-License-Identifier: Apache-2.0
// Ends a shim that was started for nothing: containerd died, or its disk was full, between `start`
// and the first Create, and after its restart it knows nothing of us. A shim that has or had
// containers is never ended from here.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <optional>

namespace ward::shim::command {

class DesertionWatch {
 public:
  using Clock = std::chrono::steady_clock;
  // containerd connects within a second of `start`, and may take long over the snapshots of a
  // container.
  static constexpr std::chrono::milliseconds kPatience{60'000};

  struct Questions {
    std::function<bool()> was_used;                                 // once true is always true
    std::function<std::optional<Clock::time_point>()> alone_since;  // none while anybody is there
  };

  // Asks from the loop. `deserted` is called once at most: unused, and alone for `patience`.
  DesertionWatch(asio::io_context& loop, std::chrono::milliseconds patience, Questions questions,
                 std::function<void()> deserted);
  void start();
  void stop() { timer_.cancel(); }

 private:
  void look_at(Clock::time_point when);
  void look();

  asio::steady_timer timer_;
  std::chrono::milliseconds patience_;
  Questions questions_;
  std::function<void()> deserted_;
};

}  // namespace ward::shim::command
