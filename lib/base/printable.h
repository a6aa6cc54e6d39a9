// SPDX-License-Identifier: Apache-2.0
// For a sentence that we wrote and in which words of others were escaped already, on its way to a
// terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ward {

// Bytes that are neither printable ASCII nor a newline become \xNN, as with escape(); a backslash
// stays one.
std::string printable(std::string_view sentence, std::size_t max_bytes = 16384);

}  // namespace ward
