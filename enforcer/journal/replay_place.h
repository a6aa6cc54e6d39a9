// SPDX-License-Identifier: Apache-2.0
// How far each spool file is in the journal, as rows of `replays`, written in one transaction with
// the events themselves. That they have ids is not enough: an event may have left the journal again
// (expiry.h) when a replay has to begin anew. Called inside of the writer's jobs.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "enforcer/database/connection.h"
#include "lib/base/result.h"

namespace ward::enforcer {

struct ReplayPlace {
  std::uint64_t inode = 0;    // a name alone may come again
  std::uint64_t read_to = 0;  // up to here all is in the journal
  std::uint64_t skipped = 0;  // damaged records in that, which no event tells of yet
};

Result<std::optional<ReplayPlace>> read_replay_place(Connection& connection,
                                                     const std::string& spool);
Result<void> write_replay_place(Connection& connection, const std::string& spool,
                                const ReplayPlace& place);
Result<void> forget_replay_place(Connection& connection, const std::string& spool);
Result<void> forget_replay_places_but(Connection& connection, const std::set<std::string>& spools);

}  // namespace ward::enforcer
