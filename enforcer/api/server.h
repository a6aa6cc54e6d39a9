// SPDX-License-Identifier: Apache-2.0
// The gRPC server of ward.v1.Ward. Connections are accepted here and their peers checked
// (SO_PEERCRED: root or our own uid) before gRPC sees them; gRPC's threads only translate and post
// to the core loop. This folder alone includes gRPC.
#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <memory>

#include "enforcer/api/operations.h"
#include "enforcer/journal/journal.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer {

class ApiServer {
 public:
  static constexpr int kMaxMessageBytes = 4 << 20;
  static constexpr int kMaxStreamsPerConnection = 100;
  static constexpr int kMaxFollowers = 64;

  ApiServer(asio::io_context& core, UniqueFd listening_socket, Operations operations,
            Journal& journal);
  ~ApiServer();  // stop() has to be done before
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  Result<void> start();
  Result<void> listen_on(UniqueFd listening_socket);  // from now on, instead of the first
  // Ends streams that follow, lets calls in progress answer (at most a second), then `done` on the
  // core loop.
  void stop(std::function<void()> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer
