// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/schema.h"

namespace ward::enforcer {
namespace {

constexpr std::int64_t kVersion = 2;

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

// Version 2: whose each event is, and how many each has: what leaves the journal is looked up,
// never counted. The workload of older events is filled in bit by bit (enforcer/journal/expiry.cc).
constexpr const char* kShares = R"sql(
ALTER TABLE events ADD COLUMN workload TEXT NOT NULL DEFAULT '';
CREATE INDEX events_by_workload ON events (workload, sequence);
CREATE INDEX events_by_time ON events (wall_ns);
CREATE TABLE shares (workload TEXT PRIMARY KEY, events INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX shares_by_size ON shares (events);
INSERT INTO shares SELECT workload, count(*) FROM events GROUP BY workload;
INSERT OR REPLACE INTO counters SELECT 'stored', count(*) FROM events;
CREATE TRIGGER event_added AFTER INSERT ON events BEGIN
  INSERT OR IGNORE INTO shares VALUES (new.workload, 0);
  UPDATE shares SET events = events + 1 WHERE workload = new.workload;
  UPDATE counters SET value = value + 1 WHERE name = 'stored';
END;
CREATE TRIGGER event_removed AFTER DELETE ON events BEGIN
  UPDATE shares SET events = events - 1 WHERE workload = old.workload;
  DELETE FROM shares WHERE workload = old.workload AND events <= 0;
  UPDATE counters SET value = value - 1 WHERE name = 'stored';
END;
CREATE TRIGGER event_named AFTER UPDATE OF workload ON events BEGIN
  UPDATE shares SET events = events - 1 WHERE workload = old.workload;
  DELETE FROM shares WHERE workload = old.workload AND events <= 0;
  INSERT OR IGNORE INTO shares VALUES (new.workload, 0);
  UPDATE shares SET events = events + 1 WHERE workload = new.workload;
END;
)sql";

// Version 2 as well, and possibly added to a file of that version: how far spool files were
// replayed, of which image and namespace each run is (profiles/learn/source.h), and what the node
// lets run of itself (enforcer/overlay/amend_rows.h). A wardd that does not know one of them leaves
// it alone.
constexpr const char* kAdded = R"sql(
CREATE TABLE IF NOT EXISTS replays (
  spool TEXT PRIMARY KEY,
  inode INTEGER NOT NULL,
  read_to INTEGER NOT NULL,
  skipped INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_kinds (
  run_id TEXT PRIMARY KEY,
  workload TEXT NOT NULL,
  kind TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS amendments (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
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
    return fail(Code::kFailedPrecondition,
                "database: written by a newer wardd (format " + std::to_string(found) +
                    ", this one knows " + std::to_string(kVersion) +
                    "): install that version again or move the file away");
  }
  if (found == kVersion) return connection.execute(kAdded);
  return connection.execute("BEGIN IMMEDIATE;" + std::string(found < 1 ? kTables : "") + kShares +
                            kAdded + "PRAGMA user_version=" + std::to_string(kVersion) +
                            ";COMMIT;");
}

}  // namespace ward::enforcer
