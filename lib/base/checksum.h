// SPDX-License-Identifier: Apache-2.0
// 64 bits that tell damage, at a gigabyte a second: SipHash (libsodium's) under a key that
// everybody knows. Whoever may write the file can make it fit; where that matters, it is
// lib/base/digest.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace ward {

std::uint64_t checksum64(std::string_view bytes);

}  // namespace ward
