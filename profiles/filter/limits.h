// SPDX-License-Identifier: Apache-2.0
// How large the files of <state>/compiled may be. wardd refuses to put in force what is larger, and
// a shim refuses to read it: both ask here, so that nothing is ever in force that no shim reads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::filter {

inline constexpr std::size_t kMaxRules = 50'000;
inline constexpr std::size_t kMaxIndexBytes = 32U << 20U;
inline constexpr std::size_t kMaxProfileBytes = 1U << 20U;
inline constexpr std::uint32_t kFormat = 1;  // of the messages inside

}  // namespace ward::filter
