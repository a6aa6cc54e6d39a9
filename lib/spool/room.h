// SPDX-License-Identifier: Apache-2.0
// Who may put how much into a directory of spools. Many processes fill it, and its reader may be
// away for long: there is a bound on bytes and files of the whole, half of it for one group, a
// quarter for one owner within a group. Nobody keeps the sums: whoever needs room adds up what lies
// there, which the file names say the owner of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward {

struct SpoolLimits {
  std::uint64_t max_bytes = 64U << 20U;
  std::size_t max_files = 1024;
};

inline constexpr std::uint64_t kSpoolShareOfGroup = 2;  // a half
inline constexpr std::uint64_t kSpoolShareOfOwner = 4;  // a quarter
// Room is given in pieces of this size, so that not every record costs a look; by so much for each
// process that is writing the directory may be larger than the bound.
inline constexpr std::uint64_t kSpoolPieceBytes = 64U << 10U;

struct SpoolOwner {
  std::string group;
  std::string owner;
};

// "<hash of group>.<hash of owner>." is what the names of its files begin with; [0-9a-f.] only.
std::string spool_prefix(const SpoolOwner& owner);

// How many bytes `own` (a file's name; it need not exist yet) may grow by now, at least `wanted`:
// a piece, or as much as is wanted where that is more. kResourceExhausted: by less, and why.
Result<std::uint64_t> spool_room(const std::filesystem::path& directory, const SpoolOwner& owner,
                                 std::string_view own, const SpoolLimits& limits = {},
                                 std::uint64_t wanted = 1);

}  // namespace ward
