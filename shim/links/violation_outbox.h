// SPDX-License-Identifier: Apache-2.0
// Violations on their way to wardd's journal (I4): in memory while wardd answers, on disk
// (lib/spool) while it does not, in memory again (bounded) while the disk takes nothing, sent again
// until the journal says that it has them. What finds no place is counted, and the count travels in
// `dropped_before` of the next record; what the shim could not tell before its end, wardd finds out
// from ViolationCount. Knows no connection: NodeLink lends it one.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/result.h"
#include "ward/node/v1/node.pb.h"

namespace ward::shim::links {

class ViolationOutbox {
 public:
  using Answer = std::function<void(Result<node::v1::ReportResponse>)>;

  // Who has the connection: NodeLink.
  class Carrier {
   public:
    virtual ~Carrier() = default;

    // Before something is added: the wardd that has just started may be asked at once.
    virtual void look_if_new() = 0;
    // Answers always, from the loop.
    virtual void report(const node::v1::ReportRequest& request, Answer answer) = 0;
  };

  struct Place {
    std::filesystem::path spool;  // directories
    std::filesystem::path tallies;
    std::string unique_name;  // of this shim, for ever: the end of its files' names
  };
  // A record that is not in the journal is on disk after so long, also when wardd is only slow.
  static constexpr std::chrono::milliseconds kOnDiskAfter{100};

  // The spool file is made when it is first needed and removed when it has been delivered.
  // `carrier` outlives it.
  ViolationOutbox(asio::io_context& loop, Place place, Carrier& carrier);
  ~ViolationOutbox();
  ViolationOutbox(const ViolationOutbox&) = delete;
  ViolationOutbox& operator=(const ViolationOutbox&) = delete;

  // Every violation, before it is answered; its record, or one that tells of it as a repeat, is
  // add()ed later.
  void count(const node::v1::Identity& who, const std::string& profile);
  void add(node::v1::Violation violation);

  // Violations stay in memory while a connection is being made, and go to disk when none is.
  enum class Peer { kAway, kComing, kThere };
  void peer_is(Peer peer);

  void end();  // what is in memory goes to disk, the account is closed; at the end of the process

  [[nodiscard]] std::uint64_t dropped() const;  // violations whose record found no place
  [[nodiscard]] std::size_t in_memory() const;
  [[nodiscard]] bool spooled() const;  // there is something on disk

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::shim::links
