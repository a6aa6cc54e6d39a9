// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/replay_place.h"

#include <vector>

namespace ward::enforcer {

Result<std::optional<ReplayPlace>> read_replay_place(Connection& connection,
                                                     const std::string& spool) {
  auto statement =
      connection.prepare("SELECT inode, read_to, skipped FROM replays WHERE spool = ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  const auto row = statement->bind(spool).step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (!*row) return std::optional<ReplayPlace>();
  const auto number = [&](int column) {
    return static_cast<std::uint64_t>(statement->integer(column));
  };
  return ReplayPlace{number(0), number(1), number(2)};
}

Result<void> write_replay_place(Connection& connection, const std::string& spool,
                                const ReplayPlace& place) {
  auto statement = connection.prepare("INSERT OR REPLACE INTO replays VALUES (?, ?, ?, ?)");
  if (!statement) return tl::unexpected<Error>(statement.error());
  statement->bind(spool).bind(static_cast<std::int64_t>(place.inode));
  statement->bind(static_cast<std::int64_t>(place.read_to))
      .bind(static_cast<std::int64_t>(place.skipped));
  return statement->run();
}

Result<void> forget_replay_place(Connection& connection, const std::string& spool) {
  auto statement = connection.prepare("DELETE FROM replays WHERE spool = ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  return statement->bind(spool).run();
}

Result<void> forget_replay_places_but(Connection& connection, const std::set<std::string>& spools) {
  std::vector<std::string> strangers;
  {
    auto statement = connection.prepare("SELECT spool FROM replays");
    if (!statement) return tl::unexpected<Error>(statement.error());
    auto row = statement->step();
    for (; row && *row; row = statement->step()) {
      if (!spools.contains(statement->text(0))) strangers.push_back(statement->text(0));
    }
    if (!row) return tl::unexpected<Error>(row.error());
  }
  for (const std::string& spool : strangers) {
    if (auto done = forget_replay_place(connection, spool); !done) return done;
  }
  return {};
}

}  // namespace ward::enforcer
