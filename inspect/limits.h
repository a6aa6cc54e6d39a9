// SPDX-License-Identifier: Apache-2.0
// What the shim may ask of ward-inspect, and what it takes as an answer: all that the two share.
#pragma once

#include <cstddef>

namespace ward::inspect {

inline constexpr std::size_t kMaxRequestBytes = 256U << 10U;
inline constexpr std::size_t kMaxFiles = 128;
inline constexpr std::size_t kMaxOffsets = 64;  // of a file
inline constexpr std::size_t kMaxDatabaseBytes = 32U << 20U;
inline constexpr std::size_t kMaxAnswerBytes = 256U << 10U;

}  // namespace ward::inspect
