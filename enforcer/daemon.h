// SPDX-License-Identifier: Apache-2.0
// The composition root of wardd: makes the parts of one node, ties them together, and ends them in order. All of it
// lives on the core loop.
#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer {

struct NodeClaim {
  std::vector<UniqueFd> locks;  // held as long as wardd lives
};

// Makes the directories wardd owns (0700, root's) and takes the locks that allow one wardd for each run directory and
// for each state directory. kAlreadyExists where another one holds one.
Result<NodeClaim> claim_node(const Places& places);

class Daemon {
 public:
  static Result<std::unique_ptr<Daemon>> start(asio::io_context& core, const Places& places);
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
