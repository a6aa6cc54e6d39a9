// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/position.h"

#include <string>

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

}  // namespace

Result<Position> find_position(Connection& connection, const std::optional<Place>& known) {
  const auto ever = ask(connection, "SELECT value FROM counters WHERE name = 'events'");
  const auto expired = ask(connection, "SELECT value FROM counters WHERE name = 'expired'");
  const auto newest = ask(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'events'");
  if (!ever) return tl::unexpected<Error>(ever.error());
  if (!expired) return tl::unexpected<Error>(expired.error());
  if (!newest) return tl::unexpected<Error>(newest.error());
  Position out;
  out.expired = *expired;
  if (!known) {
    out.place.sequence = *newest;
    out.place.ordinal = *ever;
    return out;
  }
  out.place = *known;
  constexpr const char* kBehind = "SELECT count(*) FROM events WHERE sequence > ?1";
  auto waiting = ask(connection, kBehind, known->sequence);
  if (!waiting) return tl::unexpected<Error>(waiting.error());
  // Fewer than were counted up to our place: these are other events, under numbers that we know.
  out.begun_anew = *ever < known->ordinal + *waiting || *newest < known->sequence;
  if (out.begun_anew) {
    waiting = ask(connection, kBehind, 0);
    if (!waiting) return tl::unexpected<Error>(waiting.error());
    out.place.sequence = 0;
  } else {
    out.dropped = *ever - *waiting - known->ordinal;
    out.place.dropped += out.dropped;
  }
  out.place.ordinal = *ever > *waiting ? *ever - *waiting : 0;
  return out;
}

}  // namespace ward::enforcer::sinks
