// SPDX-License-Identifier: Apache-2.0
// The shim's side of the node link (ward.node.v1.Node): tells wardd of containers and violations,
// asks it to record. wardd may be absent, die, hang and come back at any time; nothing here waits
// for it, and nothing grows without bound. Violations that it did not take are on disk until it
// does. On the shim's loop.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "ward/node/v1/node.pb.h"

namespace ward::shim::links {

class ViolationOutbox;

struct NodeLinkConfig {
  Places places;             // node_socket() to connect to, spool() for what must wait
  std::string shim_address;  // unix path of our own ttrpc socket
  std::string unique_name;   // of this shim process, for ever; the end of its files' names
  // All containers as they are now; asked for at every (re)connect. What is missing is gone.
  std::function<std::vector<node::v1::ContainerStatus>()> containers;
};

class NodeLink {
 public:
  using RecordingAnswer = std::function<void(Result<node::v1::BeginRecordingResponse>)>;

  NodeLink(asio::io_context& loop, NodeLinkConfig config);
  ~NodeLink();  // as stop()
  NodeLink(const NodeLink&) = delete;
  NodeLink& operator=(const NodeLink&) = delete;

  void start();
  // wardd is known to be there (it called us): connects at once where it was away.
  void look_now();
  [[nodiscard]] bool connected() const;  // registered with a wardd that answers

  // The newest state of a container counts; states in between may be left out. Nothing is kept
  // while wardd is away: the registration says it all.
  void update(node::v1::ContainerStatus container);

  // The answer comes from the loop, after `timeout` at the latest; kUnavailable at once where wardd
  // is away. False: nothing was sent.
  bool begin_recording(const node::v1::BeginRecordingRequest& request,
                       std::chrono::milliseconds timeout, RecordingAnswer answer);
  // Kept while wardd is away (the newest 256), so that a run that ended meanwhile is closed.
  void end_recording(node::v1::EndRecordingRequest request);

  // Where violations go; sent over this link, or kept.
  [[nodiscard]] ViolationOutbox& violations();

  // Violations that wardd has not accepted go to disk; no callback comes any more; the loop can run
  // dry.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::shim::links
