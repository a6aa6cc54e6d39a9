// SPDX-License-Identifier: Apache-2.0
// From what the kernel saw of containers' processes (recorder/process_watch.h) to the shim that
// judges, counts and records it; or, where the shim is gone, to the journal. Core loop only.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "enforcer/node_link/shim_links.h"
#include "enforcer/recorder/process_watch.h"

namespace ward::enforcer {

class SeenProcesses {
 public:
  SeenProcesses(asio::io_context& core, const std::filesystem::path& pins,
                ContainerTable& containers, ShimLinks& shims, Journal& journal);
  ~SeenProcesses();

  void watch();           // this node governs containers; again is nothing
  void container_came();  // what waits may be told to its shim
  // Now and then. Until `shims_are_back` what is nobody's waits for its shim.
  void tend(bool shims_are_back);
  void stop();  // wardd ends: the kernel goes on watching where there are containers
  [[nodiscard]] std::string status() const;  // NodeStatus.processes

 private:
  void wait();
  void take();
  bool hand_over(const recorder::Seen& seen);
  void journal_it(const recorder::Seen& seen);

  asio::io_context& core_;
  recorder::ProcessWatch watch_;
  ContainerTable& containers_;
  ShimLinks& shims_;
  Journal& journal_;
  std::unique_ptr<asio::posix::stream_descriptor> arrivals_;
  std::vector<recorder::Seen> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ward::enforcer
