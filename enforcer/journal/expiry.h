// SPDX-License-Identifier: Apache-2.0
// Which events leave the journal, and in whose favour. A container that is started again and again
// writes without end; it must not push out what others left. So the one that holds most gives
// first, and the events of a container in quarantine stay while it is. Runs on the writer's thread;
// each pass does bounded work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "enforcer/database/connection.h"
#include "lib/base/result.h"
#include "ward/node/v1/types.pb.h"

namespace ward::enforcer {

struct JournalLimits {
  std::uint64_t max_events = 200'000;
  std::int64_t max_age_ns = 30LL * 24 * 3600 * 1'000'000'000;
};

// A container whose events stay, within these bounds, the newest first.
struct HeldContainer {
  std::string containerd_namespace;
  std::string container;
};
inline constexpr std::int64_t kHeldEvents = 1000;         // of a container
inline constexpr std::uint64_t kHeldShareOfWorkload = 4;  // a quarter of the journal
inline constexpr std::uint64_t kHeldShareOfAll = 2;       // a half

// Down to this part of the journal a workload gives what it has before others give theirs.
inline constexpr std::uint64_t kSmallestShare = 64;

struct Expired {
  std::uint64_t age = 0;     // older than journal.maxAge
  std::uint64_t share = 0;   // beyond journal.maxEvents, of the workloads that held most
  std::uint64_t number = 0;  // beyond journal.maxEvents, the oldest of all
  bool more = false;         // the pass ended before the work did
  [[nodiscard]] std::uint64_t all() const { return age + share + number; }
};

// Whose events these are: what stays the same when a container is started again, a pod replaced.
// wardd's own are one workload, too.
std::string workload_of(const node::v1::Violation& event);

Result<Expired> remove_expired(Connection& connection, const JournalLimits& limits,
                               std::int64_t now_wall_ns, const std::vector<HeldContainer>& held);

}  // namespace ward::enforcer
