// SPDX-License-Identifier: Apache-2.0
// nlohmann-json, with what nearly every file that uses it would compile for itself compiled once
// (json.cc): half of such a file's time.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

extern template class nlohmann::basic_json<>;
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
extern template class nlohmann::detail::serializer<nlohmann::json>;
extern template class nlohmann::detail::serializer<nlohmann::ordered_json>;

namespace ward {

// Document: nlohmann::json or nlohmann::ordered_json. A text that is no JSON gives a document that
// is_discarded().
template <typename Document>
Document parse_json(std::string_view text);
// The same, but throws nlohmann::json::parse_error, which says where.
template <typename Document>
Document parse_json_or_throw(std::string_view text);

extern template nlohmann::json parse_json(std::string_view text);
extern template nlohmann::ordered_json parse_json(std::string_view text);
extern template nlohmann::json parse_json_or_throw(std::string_view text);
extern template nlohmann::ordered_json parse_json_or_throw(std::string_view text);

}  // namespace ward
