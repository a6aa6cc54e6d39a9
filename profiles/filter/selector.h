// SPDX-License-Identifier: Apache-2.0
// Whom a rule selects: the meaning of a selector, once as the message and once packed, as it lies
// in the index, where thousands are looked at for one start. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ward/node/v1/compiled.pb.h"
#include "ward/node/v1/types.pb.h"

namespace ward::filter {

// '*' is any run of characters, everything else itself.
bool glob_matches(std::string_view pattern, std::string_view text);

enum class Reach {
  kNo,
  kLeftAlone,  // named, but exempt (I10), and the selector does not include that
  kSelected,
};
Reach reach(const node::v1::Selector& selector, const node::v1::Identity& identity);

// I10: what leaves a container alone where the selector does not include it; empty: nothing.
std::string exemption(const node::v1::Selector& selector, const node::v1::Identity& identity);

// For people, the first thing for which a selector does not select: "containers: 'web-1' is none of
// 'nginx-*'", or what leaves the container alone. Empty: it is selected.
std::string why_not(const node::v1::Selector& selector, const node::v1::Identity& identity);

// The lists of a selector, and what of an identity each is compared with. The order is that of the
// packed form.
inline constexpr std::size_t kFields = 5;
using Globs = google::protobuf::RepeatedPtrField<std::string>;
const Globs& globs_of(const node::v1::Selector& selector, std::size_t field);
const std::string& text_of(const node::v1::Identity& identity, std::size_t field);

std::string pack(const node::v1::Selector& selector);
std::optional<node::v1::Selector> unpack(std::string_view packed);  // absent: malformed
std::optional<Reach> reach(std::string_view packed,
                           const node::v1::Identity& identity);  // likewise

}  // namespace ward::filter
