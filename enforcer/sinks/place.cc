// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/place.h"
#include "lib/json/json.h"

#include "lib/base/file.h"

namespace ward::enforcer::sinks {

std::filesystem::path place_file(const std::filesystem::path& directory, const std::string& sink) {
  return directory / (sink + ".json");
}

Result<std::optional<Place>> read_place(const std::filesystem::path& file) {
  const auto text = read_regular_file(file, 4096);
  if (!text && text.error().code == Code::kNotFound) return std::optional<Place>();
  if (!text) return tl::unexpected<Error>(text.error());
  const auto json = parse_json<nlohmann::json>(*text);
  const auto number = [&json](const char* key) -> std::optional<std::uint64_t> {
    if (!json.is_object()) return std::nullopt;
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
  };
  const auto sequence = number("sequence");
  const auto ordinal = number("ordinal");
  if (!sequence || !ordinal)
    return fail(Code::kInvalidArgument, file.string() + " is no place in the journal");
  Place place;
  place.sequence = *sequence;
  place.ordinal = *ordinal;
  place.wall_ns = static_cast<std::int64_t>(number("wall_ns").value_or(0));
  place.sent = number("sent").value_or(0);
  place.dropped = number("dropped").value_or(0);
  place.refused = number("refused").value_or(0);
  return std::optional<Place>(place);
}

Result<void> write_place(const std::filesystem::path& file, const Place& place) {
  const nlohmann::ordered_json json = {{"sequence", place.sequence}, {"ordinal", place.ordinal},
                                       {"wall_ns", place.wall_ns},   {"sent", place.sent},
                                       {"dropped", place.dropped},   {"refused", place.refused}};
  return write_file_atomically(file, json.dump() + "\n");
}

}  // namespace ward::enforcer::sinks
