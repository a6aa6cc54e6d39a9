// SPDX-License-Identifier: Apache-2.0
#include "lib/json/json.h"

template class nlohmann::basic_json<>;
template class nlohmann::basic_json<nlohmann::ordered_map>;
template class nlohmann::detail::serializer<nlohmann::json>;
template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace ward {

template <typename Document>
Document parse_json(std::string_view text) {
  return Document::parse(text, nullptr, /*allow_exceptions=*/false);
}

template <typename Document>
Document parse_json_or_throw(std::string_view text) {
  return Document::parse(text);
}

template nlohmann::json parse_json(std::string_view text);
template nlohmann::ordered_json parse_json(std::string_view text);
template nlohmann::json parse_json_or_throw(std::string_view text);
template nlohmann::ordered_json parse_json_or_throw(std::string_view text);

}  // namespace ward
