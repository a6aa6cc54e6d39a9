// SPDX-License-Identifier: Apache-2.0
// Violations on their way to wardd's journal (I4): in memory while wardd answers, on disk (lib/spool) while it does
// not, sent again until the journal says that it has them. What is lost all the same (disk and spool full) is counted,
// and the count travels in `dropped_before` of the next record. Knows no connection: NodeLink lends it one.
#pragma once

#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "lib/base/result.h"
#include "ward/node/v1/node.pb.h"

namespace ward::shim {

class ViolationOutbox {
 public:
  using Answer = std::function<void(Result<node::v1::ReportResponse>)>;
  using Send = std::function<void(const node::v1::ReportRequest&, Answer)>;  // answers always, from the loop

  // `spool_file` is made when it is first needed and removed when it has been delivered.
  ViolationOutbox(asio::io_context& loop, std::filesystem::path spool_file, Send send);
  ~ViolationOutbox();
  ViolationOutbox(const ViolationOutbox&) = delete;
  ViolationOutbox& operator=(const ViolationOutbox&) = delete;

  void add(node::v1::Violation violation);

  // Violations stay in memory while a connection is being made, and go to disk when none is.
  enum class Peer { kAway, kComing, kThere };
  void peer_is(Peer peer);

  void save();  // everything that is in memory goes to disk; at the end of the process

  [[nodiscard]] std::uint64_t reported() const;  // accepted by the journal
  [[nodiscard]] std::uint64_t dropped() const;   // lost for good
  [[nodiscard]] std::size_t in_memory() const;
  [[nodiscard]] bool spooled() const;  // there is something on disk

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::shim
