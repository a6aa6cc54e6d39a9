// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/position.h"

#include <string>

#include "ward/node/v1/types.pb.h"

namespace ward::enforcer::sinks {
namespace {

Result<std::uint64_t> ask(Connection& connection, const char* sql,
                          std::optional<std::uint64_t> about = std::nullopt) {
  auto statement = connection.prepare(sql);
  if (!statement) return tl::unexpected<Error>(statement.error());
  if (about) statement->bind(static_cast<std::int64_t>(*about));
  auto row = statement->step();
  if (!row) return tl::unexpected<Error>(row.error());
  return *row ? static_cast<std::uint64_t>(statement->integer(0)) : 0;
}

Result<std::uint64_t> ever_journalled(Connection& connection) {
  return ask(connection, "SELECT value FROM counters WHERE name = 'events'");
}

Result<std::uint64_t> newest_sequence(Connection& connection) {
  return ask(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'events'");
}

// Few are counted where they are. Many in the narrow index: the table's rows have the bodies.
Result<std::uint64_t> count_behind(Connection& connection, std::uint64_t sequence,
                                   std::uint64_t newest) {
  constexpr std::uint64_t kFew = 1000;
  return ask(connection,
             newest < sequence + kFew
                 ? "SELECT count(*) FROM events WHERE sequence > ?1"
                 : "SELECT count(*) FROM events INDEXED BY events_by_time WHERE sequence > ?1",
             sequence);
}

// Whether under the place's number is what was sent from there. Read as the journal reads it, so
// that a damaged record says the same both times. A record that is gone says nothing.
Result<bool> is_another(Connection& connection, const Place& place) {
  if (place.wall_ns == 0) return false;
  auto statement = connection.prepare("SELECT body FROM events WHERE sequence = ?1");
  if (!statement) return tl::unexpected<Error>(statement.error());
  auto row = statement->bind(static_cast<std::int64_t>(place.sequence)).step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (!*row) return false;
  node::v1::Violation body;
  (void)!body.ParseFromString(statement->text(0));
  return body.wall_ns() != place.wall_ns;
}

}  // namespace

Result<Position> find_beginning(Connection& connection) {
  const auto ever = ever_journalled(connection);
  if (!ever) return tl::unexpected<Error>(ever.error());
  const auto newest = newest_sequence(connection);
  if (!newest) return tl::unexpected<Error>(newest.error());
  const auto all = count_behind(connection, 0, *newest);
  if (!all) return tl::unexpected<Error>(all.error());
  Position out;
  out.place.ordinal = *ever > *all ? *ever - *all : 0;
  return out;
}

Result<Position> find_position(Connection& connection, const std::optional<Place>& known) {
  const auto ever = ever_journalled(connection);
  if (!ever) return tl::unexpected<Error>(ever.error());
  const auto newest = newest_sequence(connection);
  if (!newest) return tl::unexpected<Error>(newest.error());
  Position out;
  if (!known) {
    out.place.sequence = *newest;
    out.place.ordinal = *ever;
    return out;
  }
  const auto waiting = count_behind(connection, known->sequence, *newest);
  if (!waiting) return tl::unexpected<Error>(waiting.error());
  const auto another = is_another(connection, *known);
  if (!another) return tl::unexpected<Error>(another.error());
  // Fewer than were counted up to our place: these are other events, under numbers that we know.
  if (*another || *ever < known->ordinal + *waiting || *newest < known->sequence) {
    auto beginning = find_beginning(connection);
    if (!beginning) return beginning;
    out.begun_anew = true;
    out.place = *known;
    out.place.sequence = 0;
    out.place.wall_ns = 0;
    out.place.ordinal = beginning->place.ordinal;
    return out;
  }
  out.place = *known;
  out.dropped = *ever - *waiting - known->ordinal;
  out.place.dropped += out.dropped;
  out.place.ordinal = *ever - *waiting;
  return out;
}

}  // namespace ward::enforcer::sinks
