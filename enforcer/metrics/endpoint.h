// SPDX-License-Identifier: Apache-2.0
// Numbers of the node for Prometheus, as text over HTTP on a loopback address; off unless
// wardd.yaml asks for it.
#pragma once

#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::enforcer {

struct SinkMetrics {
  std::string name;
  std::uint64_t waiting = 0, sent = 0, dropped = 0, refused = 0;
};

struct MetricsSnapshot {
  std::map<std::string, std::uint64_t> violations;  // by action, since start
  std::map<std::string, std::uint64_t> containers;  // by mode, now
  std::uint64_t events = 0;
  std::uint64_t dropped = 0;
  std::map<std::string, std::uint64_t> expired;  // by reason
  std::uint64_t open_recordings = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t partly_enforced = 0;
  std::uint64_t shims = 0;
  std::uint64_t index_generation = 0;
  std::uint64_t problems = 0;
  std::vector<SinkMetrics> sinks;
};

class MetricsEndpoint {
 public:
  // `snapshot` runs on the core loop; the threads that serve HTTP wait for it, at most a second.
  static Result<std::unique_ptr<MetricsEndpoint>> start(asio::io_context& core,
                                                        const std::string& listen,
                                                        std::function<MetricsSnapshot()> snapshot);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

 private:
  struct State;
  explicit MetricsEndpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ward::enforcer
