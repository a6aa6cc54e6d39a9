// SPDX-License-Identifier: Apache-2.0
// Strings that a container controls are data (I7): before one reaches a log line or a terminal it
// goes through here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ward {

// Printable ASCII stays; backslash doubles; every other byte becomes \xNN. Input past `max_bytes`
// is cut and "..." added.
std::string escape(std::string_view text, std::size_t max_bytes = 256);

}  // namespace ward
