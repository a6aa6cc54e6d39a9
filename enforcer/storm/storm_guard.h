// SPDX-License-Identifier: Apache-2.0
// A policy's `stormGuard`: follows the journal, and where a workload is killed or quarantined in
// too many pods makes its treatment milder for a while, in the index for containers that start and
// by their shims for those that run. Never milder than deny, and never for the danger set: the shim
// sees to that. Without wardd no storm begins. Core loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "enforcer/node_link/shim_links.h"
#include "enforcer/store/profile_store.h"
#include "enforcer/storm/storm_count.h"

namespace ward::enforcer {

class StormGuards {
 public:
  StormGuards(ContainerTable& containers, ShimLinks& shims, Journal& journal, ProfileStore& store);
  ~StormGuards();
  StormGuards(const StormGuards&) = delete;
  StormGuards& operator=(const StormGuards&) = delete;

  void start();                     // what the journal has already counts as well
  void tend(std::int64_t wall_ns);  // now and then: ends what is over
  [[nodiscard]] std::vector<std::string> problems(std::int64_t wall_ns) const;  // for people

 private:
  void read();
  void count(const node::v1::Violation& body);
  void begin(const std::string& workload, const node::v1::StormGuard& guard,
             const node::v1::Violation& last);
  void go_on(const node::v1::Calmed& calmed, std::int64_t until_wall_ns);
  void tell_running(const node::v1::Calmed& calmed);
  void note(const std::string& workload, const char* outcome, const std::string& reason);

  ContainerTable& containers_;
  ShimLinks& shims_;
  Journal& journal_;
  ProfileStore& store_;
  StormCount count_;    // of what ended or stopped a container
  StormCount goes_on_;  // of what was spared since
  std::uint64_t read_to_ = 0;
  std::uint64_t subscription_ = 0;
};

}  // namespace ward::enforcer
