// SPDX-License-Identifier: Apache-2.0
// Holds a sink's place against the database: what is still to come, what left the journal unsent,
// and whether it is the same journal at all. Reads only; runs inside of the writer's jobs, where
// nothing changes meanwhile.
#pragma once

#include <cstdint>
#include <optional>

#include "enforcer/database/connection.h"
#include "enforcer/sinks/place.h"

namespace ward::enforcer::sinks {

struct Position {
  Place place;
  std::uint64_t dropped = 0;  // of these found now; place.dropped has them
  bool begun_anew = false;    // the database lost events: all that it has comes (again)
};

// Without a place: what is journalled from now on.
Result<Position> find_position(Connection& connection, const std::optional<Place>& known);

// All that the journal has; what left it before is not said to be dropped.
Result<Position> find_beginning(Connection& connection);

}  // namespace ward::enforcer::sinks
