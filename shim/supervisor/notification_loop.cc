// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/notification_loop.h"

#include <poll.h>

#include <algorithm>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>

#include "lib/base/log.h"

namespace ward::shim::supervisor {
namespace {

// Well inside of the second that I5 gives: a pause only ever delays notifications that were not
// fetched yet.
constexpr std::int64_t kLongestPause_ns = 100'000'000;

}  // namespace

struct NotificationLoop::State : std::enable_shared_from_this<NotificationLoop::State> {
  State(asio::io_context& loop, SeccompListener l, Callbacks c)
      : listener(std::move(l)),
        readable(loop, listener.fd()),
        pause(loop),
        callbacks(std::move(c)) {}
  ~State() { readable.release(); }

  void wait() {
    readable.async_wait(asio::posix::stream_descriptor::wait_read,
                        [weak = weak_from_this()](const asio::error_code& error) {
                          const auto self = weak.lock();
                          if (self && !error && !self->closed) self->turn();
                        });
  }

  void turn() {
    for (int i = 0; i < kQuestionsPerTurn; ++i) {
      // The descriptor reports readiness for a hang-up too, and fetching without a notification
      // would block.
      pollfd ready{.fd = listener.fd(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 0) < 0) return wait();
      if ((ready.revents & POLLIN) == 0) {
        if ((ready.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return end();
        return wait();
      }
      auto question = listener.receive();
      if (!question) {
        log::error("cannot fetch a seccomp notification", {{"error", question.error().message}});
        return end();
      }
      if (!*question) continue;
      const std::int64_t pause_ns = callbacks.asked(listener, **question);
      if (closed) return;
      if (pause_ns > 0) return wait_after(pause_ns);
    }
    wait();
  }

  void wait_after(std::int64_t pause_ns) {
    pause.expires_after(std::chrono::nanoseconds(std::min(pause_ns, kLongestPause_ns)));
    pause.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (self && !error && !self->closed) self->turn();
    });
  }

  void end() {
    closed = true;
    if (callbacks.ended) callbacks.ended();
  }

  SeccompListener listener;
  asio::posix::stream_descriptor readable;
  asio::steady_timer pause;
  Callbacks callbacks;
  bool closed = false;
};

NotificationLoop::NotificationLoop(asio::io_context& loop, SeccompListener listener,
                                   Callbacks callbacks)
    : state_(std::make_shared<State>(loop, std::move(listener), std::move(callbacks))) {
  state_->wait();
}

NotificationLoop::~NotificationLoop() { state_->closed = true; }

}  // namespace ward::shim::supervisor
