// SPDX-License-Identifier: Apache-2.0
// Bytes that somebody else chose, made fit for a protobuf string: its readers refuse a whole
// message for one byte.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ward {

// Bytes of the well-formed UTF-8 sequence at the front of what is not empty (RFC 3629: no overlong
// forms, no surrogates), 0 where none is.
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

// Every byte that is not part of well-formed UTF-8 becomes '?'. Nothing else is changed: see
// escape() for terminals.
std::string to_utf8(std::string_view text);

}  // namespace ward
