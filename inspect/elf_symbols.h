// SPDX-License-Identifier: Apache-2.0
// Names of functions at places of an ELF file, from its symbol tables. The file is a container's:
// nothing in it is believed, each number is checked against the file and against a bound, and what
// is wrong is no symbol. Values in, values out. Source: elf(5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ward::inspect {

// Fills all of the buffer, from this offset on; false where the file does not have that much.
using ReadAt = std::function<bool(std::uint64_t offset, void* buffer, std::size_t bytes)>;

inline constexpr std::size_t kMaxSymbols = 1'000'000;  // looked at, of all tables of a file
inline constexpr std::size_t kMaxNameBytes = 256;      // of a symbol; a longer one is cut

// For each offset in the file "name+0x1f", or empty: 64-bit little-endian files only. Names are raw
// bytes. A function whose size is not said is taken to reach to the next one's start.
std::vector<std::string> find_symbols(const ReadAt& read,
                                      const std::vector<std::uint64_t>& offsets);

}  // namespace ward::inspect
