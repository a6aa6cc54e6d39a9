// SPDX-License-Identifier: Apache-2.0
// The composition root of wardd: makes the parts of one node, ties them together, and ends them in order. All of it
// lives on the core loop.
#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <memory>

#include "enforcer/node_claim.h"
#include "lib/base/places.h"
#include "lib/base/result.h"

namespace ward::enforcer {

class Daemon {
 public:
  // `lost`, once: another wardd has claimed one of our directories, and this one must stop.
  static Result<std::unique_ptr<Daemon>> start(asio::io_context& core, const Places& places, NodeClaim claim,
                                               std::function<void(const Error&)> lost);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void reload();                          // reads configuration, profiles and policies again
  void stop(std::function<void()> done);  // `done` once; what is recording goes on without us where it is pinned

 private:
  struct State;
  explicit Daemon(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ward::enforcer
