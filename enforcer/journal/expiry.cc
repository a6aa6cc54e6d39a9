// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/expiry.h"

#include <algorithm>
#include <utility>

namespace ward::enforcer {
namespace {

constexpr std::uint64_t kMostOfOnePass = 10'000;  // events
constexpr std::int64_t kMostGivers = 64;          // workloads

struct Share {
  std::string workload;
  std::uint64_t events = 0;
  std::uint64_t held = 0;  // of these
  [[nodiscard]] std::uint64_t above(std::uint64_t level) const {
    const std::uint64_t kept = std::max(level, held);
    return events > kept ? events - kept : 0;
  }
};

template <typename... Values>
Result<std::uint64_t> change(Connection& connection, std::string_view sql, Values... values) {
  auto statement = connection.prepare(sql);
  if (!statement) return tl::unexpected<Error>(statement.error());
  (statement->bind(values), ...);
  if (auto done = statement->run(); !done) return tl::unexpected<Error>(done.error());
  return static_cast<std::uint64_t>(connection.changes());
}

// Events of a journal from before workloads were kept: some of them in each pass.
Result<void> name_workloads(Connection& connection, bool& more) {
  auto nameless = connection.prepare(
      "SELECT sequence, body FROM events WHERE workload = '' ORDER BY sequence LIMIT ?");
  if (!nameless) return tl::unexpected<Error>(nameless.error());
  nameless->bind(static_cast<std::int64_t>(kMostOfOnePass));
  std::vector<std::pair<std::int64_t, std::string>> found;
  for (;;) {
    auto row = nameless->step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) break;
    node::v1::Violation body;
    if (!body.ParseFromString(nameless->text(1))) body.Clear();
    found.emplace_back(nameless->integer(0), workload_of(body));
  }
  auto name = connection.prepare("UPDATE events SET workload = ? WHERE sequence = ?");
  if (!name) return tl::unexpected<Error>(name.error());
  for (const auto& [sequence, workload] : found) {
    name->reset();
    if (auto done = name->bind(workload).bind(sequence).run(); !done) return done;
  }
  more = more || found.size() == kMostOfOnePass;
  return {};
}

// Newest first: of a container, of a workload, and alike from each workload where it is too much in
// all.
Result<void> hold(Connection& connection, const JournalLimits& limits,
                  const std::vector<HeldContainer>& held) {
  constexpr const char* kEmptyTables[] = {
      "CREATE TEMP TABLE IF NOT EXISTS candidate (sequence INTEGER PRIMARY KEY, workload TEXT NOT "
      "NULL);"
      "DELETE FROM temp.candidate",
      "CREATE TEMP TABLE IF NOT EXISTS held (sequence INTEGER PRIMARY KEY, workload TEXT NOT NULL);"
      "DELETE FROM temp.held"};
  for (const char* empty : kEmptyTables) {
    auto made = connection.execute(empty);
    if (!made) return made;
  }
  if (auto made =
          connection.execute("CREATE INDEX IF NOT EXISTS temp.held_by_workload ON held (workload)");
      !made) {
    return made;
  }
  for (const HeldContainer& container : held) {
    const auto found = change(connection,
                              "INSERT OR IGNORE INTO temp.candidate SELECT sequence, workload FROM "
                              "events WHERE container = ?"
                              " AND containerd_namespace = ? ORDER BY sequence DESC LIMIT ?",
                              std::string_view(container.container),
                              std::string_view(container.containerd_namespace), kHeldEvents);
    if (!found) return tl::unexpected<Error>(found.error());
  }
  const auto kept =
      change(connection,
             "INSERT INTO temp.held SELECT sequence, workload FROM (SELECT sequence, workload, "
             "row_number() OVER"
             " (PARTITION BY workload ORDER BY sequence DESC) AS place FROM temp.candidate)"
             " WHERE place <= ? ORDER BY place, sequence DESC LIMIT ?",
             static_cast<std::int64_t>(limits.max_events / kHeldShareOfWorkload),
             static_cast<std::int64_t>(limits.max_events / kHeldShareOfAll));
  if (!kept) return tl::unexpected<Error>(kept.error());
  return {};
}

Result<std::uint64_t> number_of(Connection& connection) {
  auto statement = connection.prepare("SELECT value FROM counters WHERE name = 'stored'");
  if (!statement) return tl::unexpected<Error>(statement.error());
  auto row = statement->step();
  if (!row) return tl::unexpected<Error>(row.error());
  return *row ? static_cast<std::uint64_t>(statement->integer(0)) : 0;
}

Result<std::vector<Share>> largest_shares(Connection& connection) {
  auto statement = connection.prepare(
      "SELECT workload, events, (SELECT count(*) FROM temp.held WHERE held.workload = "
      "shares.workload)"
      " FROM shares ORDER BY events DESC LIMIT ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  statement->bind(kMostGivers);
  std::vector<Share> shares;
  for (;;) {
    auto row = statement->step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return shares;
    shares.push_back({statement->text(0), static_cast<std::uint64_t>(statement->integer(1)),
                      static_cast<std::uint64_t>(statement->integer(2))});
  }
}

// The highest level with which those above it give `wanted`; not below `lowest`.
std::uint64_t level_for(const std::vector<Share>& shares, std::uint64_t wanted,
                        std::uint64_t lowest) {
  const auto given_at = [&](std::uint64_t level) {
    std::uint64_t given = 0;
    for (const Share& share : shares) given += share.above(level);
    return given;
  };
  std::uint64_t low = lowest;
  std::uint64_t high = shares.empty() ? lowest : std::max(lowest, shares.front().events);
  while (low < high) {
    const std::uint64_t middle = low + (high - low + 1) / 2;
    if (given_at(middle) >= wanted) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

// The oldest of those that have most, without what is held: others do not give in its place before
// their turn.
Result<std::uint64_t> take_shares(Connection& connection, std::uint64_t wanted,
                                  std::uint64_t lowest) {
  const auto shares = largest_shares(connection);
  if (!shares) return tl::unexpected<Error>(shares.error());
  const std::uint64_t level = level_for(*shares, wanted, lowest);
  std::uint64_t taken = 0;
  for (const Share& share : *shares) {
    if (share.events <= level || taken >= wanted) break;
    const std::uint64_t given = std::min(share.above(level), wanted - taken);
    if (given == 0) continue;
    const auto removed = change(
        connection,
        "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events WHERE workload = ?"
        " AND sequence NOT IN (SELECT sequence FROM temp.held) ORDER BY sequence LIMIT ?)",
        std::string_view(share.workload), static_cast<std::int64_t>(given));
    if (!removed) return tl::unexpected<Error>(removed.error());
    taken += *removed;
  }
  return taken;
}

Result<void> count(Connection& connection, std::string_view name, std::uint64_t by) {
  if (by == 0) return {};
  const auto counted = change(connection,
                              "INSERT INTO counters (name, value) VALUES (?1, ?2)"
                              " ON CONFLICT (name) DO UPDATE SET value = value + ?2",
                              name, static_cast<std::int64_t>(by));
  if (!counted) return tl::unexpected<Error>(counted.error());
  return {};
}

Result<void> remove(Connection& connection, const JournalLimits& limits, std::int64_t now_wall_ns,
                    Expired& gone) {
  const auto by_age =
      change(connection,
             "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events WHERE wall_ns < ?"
             " AND sequence NOT IN (SELECT sequence FROM temp.held) ORDER BY wall_ns LIMIT ?)",
             now_wall_ns - limits.max_age_ns, static_cast<std::int64_t>(kMostOfOnePass));
  if (!by_age) return tl::unexpected<Error>(by_age.error());
  gone.age = *by_age;
  if (gone.more) return {};  // whose the others are is not known yet
  const auto stored = number_of(connection);
  if (!stored) return tl::unexpected<Error>(stored.error());
  const std::uint64_t beyond = *stored > limits.max_events ? *stored - limits.max_events : 0;
  const std::uint64_t wanted = std::min(beyond, kMostOfOnePass);
  if (wanted > 0) {
    const auto by_share = take_shares(
        connection, wanted, std::max<std::uint64_t>(1, limits.max_events / kSmallestShare));
    if (!by_share) return tl::unexpected<Error>(by_share.error());
    gone.share = *by_share;
  }
  if (gone.share < wanted) {
    const auto by_number =
        change(connection,
               "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events WHERE"
               " sequence NOT IN (SELECT sequence FROM temp.held) ORDER BY sequence LIMIT ?)",
               static_cast<std::int64_t>(wanted - gone.share));
    if (!by_number) return tl::unexpected<Error>(by_number.error());
    gone.number = *by_number;
  }
  // A pass that removed nothing is not followed by another.
  gone.more =
      gone.more || gone.age == kMostOfOnePass || (beyond > wanted && gone.share + gone.number > 0);
  return {};
}

}  // namespace

std::string workload_of(const node::v1::Violation& event) {
  const node::v1::Identity& identity = event.identity();
  std::string workload;
  for (const std::string& part : {identity.containerd_namespace(), identity.kubernetes_namespace(),
                                  identity.image(), event.profile_name()}) {
    if (!part.empty()) workload += (workload.empty() ? "" : " ") + part;
  }
  return identity.container_id().empty() || workload.empty() ? "wardd" : workload;
}

Result<Expired> remove_expired(Connection& connection, const JournalLimits& limits,
                               std::int64_t now_wall_ns, const std::vector<HeldContainer>& held) {
  Expired gone;
  if (auto named = name_workloads(connection, gone.more); !named)
    return tl::unexpected<Error>(named.error());
  if (auto kept = hold(connection, limits, held); !kept) return tl::unexpected<Error>(kept.error());
  if (auto done = remove(connection, limits, now_wall_ns, gone); !done)
    return tl::unexpected<Error>(done.error());
  using Counter = std::pair<std::string_view, std::uint64_t>;
  for (const auto& [name, by] :
       {Counter{"expired", gone.all()}, Counter{"expired-age", gone.age},
        Counter{"expired-share", gone.share}, Counter{"expired-number", gone.number}}) {
    if (auto counted = count(connection, name, by); !counted)
      return tl::unexpected<Error>(counted.error());
  }
  return gone;
}

}  // namespace ward::enforcer
