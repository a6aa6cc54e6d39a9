// SPDX-License-Identifier: Apache-2.0
#include "enforcer/daemon.h"

#include "enforcer/node.h"

namespace ward::enforcer {

struct Daemon::State : Node {
  using Node::Node;
};

Daemon::Daemon(std::unique_ptr<State> state) : state_(std::move(state)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(asio::io_context& core, const Places& places, NodeClaim claim,
                                              std::function<void(const Error&)> lost) {
  auto daemon =
      std::unique_ptr<Daemon>(new Daemon(std::make_unique<State>(core, places, std::move(claim), std::move(lost))));
  if (auto served = daemon->state_->serve(); !served) return tl::unexpected<Error>(served.error());
  return daemon;
}

void Daemon::reload() {
  state_->store.look_again();
  state_->read_configuration();
}
void Daemon::stop(std::function<void()> done) { state_->stop(std::move(done)); }

}  // namespace ward::enforcer
