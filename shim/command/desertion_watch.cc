// SPDX-License-Identifier: Apache-2.0
#include "shim/command/desertion_watch.h"

#include <utility>

namespace ward::shim::command {

DesertionWatch::DesertionWatch(asio::io_context& loop, std::chrono::milliseconds patience,
                               Questions questions, std::function<void()> deserted)
    : timer_(loop),
      patience_(patience),
      questions_(std::move(questions)),
      deserted_(std::move(deserted)) {}

void DesertionWatch::start() { look_at(Clock::now() + patience_); }

void DesertionWatch::look_at(Clock::time_point when) {
  timer_.expires_at(when);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) look();
  });
}

void DesertionWatch::look() {
  if (questions_.was_used()) return;
  const auto since = questions_.alone_since();
  if (!since) return start();
  if (Clock::now() - *since >= patience_) return deserted_();
  look_at(*since + patience_);
}

}  // namespace ward::shim::command
