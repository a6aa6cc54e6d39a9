// SPDX-License-Identifier: Apache-2.0
// The service ward.node.v1.Node on <run>/node.sock: what shims tell wardd. Translation and
// bookkeeping of who is there; containers, journal and recordings are other folders' business. Core
// loop only.
#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "enforcer/database/writer.h"
#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "enforcer/node_link/shim_links.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer {

// What the node service asks of the recordings; see enforcer/recordings.
struct RecordingCalls {
  std::function<Result<void>(const node::v1::BeginRecordingRequest&)> begin;
  std::function<Result<void>(const node::v1::EndRecordingRequest&)> end;
};

class NodeService {
 public:
  // Takes the listening socket. Serves after start().
  NodeService(asio::io_context& core, UniqueFd listening_socket, ContainerTable& containers,
              ShimLinks& shims, Journal& journal, Writer& writer, RecordingCalls recordings);
  ~NodeService();
  NodeService(const NodeService&) = delete;
  NodeService& operator=(const NodeService&) = delete;

  void start();
  void listen_on(UniqueFd listening_socket);  // from now on, instead of the first
  // Asks the shims that an earlier wardd knew what they run, so that nothing is missing until they
  // come back by themselves.
  void ask_known_shims(const std::filesystem::path& database);
  void stop(std::function<void()> done);

  // That shims were refused for want of file descriptors, how many and what to set; for people.
  [[nodiscard]] std::optional<std::string> problem() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer
