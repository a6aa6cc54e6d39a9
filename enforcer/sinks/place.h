// SPDX-License-Identifier: Apache-2.0
// How far a sink is in the journal: a file for each, <state>/sinks/NAME.json, written after the
// receiver has taken events, never before. Who is killed in between sends them again. It stays when
// the sink leaves wardd.yaml, so that one that comes back goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "lib/base/result.h"

namespace ward::enforcer::sinks {

struct Place {
  std::uint64_t sequence = 0;  // up to here all is sent, left out, refused or dropped
  // Events that had ever been journalled up to there: tells how many left the journal unsent,
  // which sequences do not, for they have holes.
  std::uint64_t ordinal = 0;
  std::int64_t wall_ns = 0;  // of the event at `sequence`; 0: not known. Another: another journal
  // Over the sink's life.
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;  // left the journal before they were sent
  std::uint64_t refused = 0;  // the receiver would not have them

  bool operator==(const Place&) const = default;
};

// Nothing: there is none yet. An error: it cannot be read, or is none.
Result<std::optional<Place>> read_place(const std::filesystem::path& file);
Result<void> write_place(const std::filesystem::path& file, const Place& place);

std::filesystem::path place_file(const std::filesystem::path& directory, const std::string& sink);

}  // namespace ward::enforcer::sinks
