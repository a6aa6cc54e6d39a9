// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/schema.h"

namespace ward::enforcer {
namespace {

constexpr std::int64_t kVersion = 1;

// AUTOINCREMENT: a sequence number is never given twice, not even after old events were dropped.
constexpr const char* kTables = R"sql(
CREATE TABLE IF NOT EXISTS events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  wall_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  containerd_namespace TEXT NOT NULL,
  container TEXT NOT NULL,
  body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_container ON events (container, sequence);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen_versions (profile TEXT PRIMARY KEY, version INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shims (address TEXT PRIMARY KEY, pid INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
  run_id TEXT PRIMARY KEY,
  workload TEXT NOT NULL,
  containerd_namespace TEXT NOT NULL,
  container TEXT NOT NULL,
  started_wall_ns INTEGER NOT NULL,
  ended_wall_ns INTEGER NOT NULL,
  exit_status INTEGER NOT NULL,
  graceful INTEGER NOT NULL,
  recorder TEXT NOT NULL,
  note TEXT NOT NULL,
  observation BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_workload ON runs (workload, started_wall_ns);
CREATE TABLE IF NOT EXISTS calibrations (key TEXT PRIMARY KEY, wall_ns INTEGER NOT NULL, title TEXT NOT NULL, observation BLOB NOT NULL) WITHOUT ROWID;
)sql";

}  // namespace

Result<void> apply_schema(Connection& connection) {
  std::int64_t found = 0;
  {
    auto statement = connection.prepare("PRAGMA user_version");
    if (!statement) return tl::unexpected<Error>(statement.error());
    auto row = statement->step();
    if (!row) return tl::unexpected<Error>(row.error());
    found = statement->integer(0);
  }
  if (found > kVersion) {
    return fail(Code::kFailedPrecondition, "database: written by a newer wardd (format " + std::to_string(found) +
                                               ", this one knows " + std::to_string(kVersion) +
                                               "): install that version again or move the file away");
  }
  if (found == kVersion) return {};
  return connection.execute("BEGIN IMMEDIATE;" + std::string(kTables) +
                            "PRAGMA user_version=" + std::to_string(kVersion) + ";COMMIT;");
}

}  // namespace ward::enforcer
