// SPDX-License-Identifier: Apache-2.0
// Bytes that somebody else chose, made fit for a protobuf string: its readers refuse a whole message for one byte.
#pragma once

#include <string>
#include <string_view>

namespace ward {

// Every byte that is not part of well-formed UTF-8 becomes '?'. Nothing else is changed: see escape() for terminals.
std::string to_utf8(std::string_view text);

}  // namespace ward
