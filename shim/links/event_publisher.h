// SPDX-License-Identifier: Apache-2.0
// Publishes events to containerd over ttrpc, in the order they were given: one queue, one call at a
// time. The head waits for its answer as long as the connection lives, and is repeated with backoff
// after that ended: containerd sees it twice only where it died between taking and answering it.
// The queue is bounded; every event that is lost is counted and logged. It does not know what the
// events mean. On the shim's loop.
#pragma once

#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace ward::shim::links {

class EventPublisher {
 public:
  static constexpr std::size_t kMaxEvents = 8192;
  static constexpr std::size_t kMaxBytes = 8U << 20U;  // of serialized events waiting

  // `ttrpc_address`: the value of TTRPC_ADDRESS; empty (no containerd to tell): events are counted
  // as dropped.
  EventPublisher(asio::io_context& loop, std::string ttrpc_address,
                 std::string containerd_namespace);
  ~EventPublisher();
  EventPublisher(const EventPublisher&) = delete;
  EventPublisher& operator=(const EventPublisher&) = delete;

  // The event's time is now. `topic` starts with "/".
  void publish(std::string topic, std::string type_url, std::string serialized_event);

  // Calls `done` (from the loop) when the queue is empty, or when containerd has taken nothing for
  // 2 s: what is left is dropped then. For the orderly shutdown.
  void drain(std::function<void()> done);

  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::shim::links
