// SPDX-License-Identifier: Apache-2.0
#include "lib/base/checksum.h"

#include <sodium/crypto_shorthash.h>

#include <array>
#include <cstring>

namespace ward {

std::uint64_t checksum64(std::string_view bytes) {
  static constexpr std::array<unsigned char, crypto_shorthash_KEYBYTES> kKey{};
  std::array<unsigned char, crypto_shorthash_BYTES> sum{};
  crypto_shorthash(sum.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                   kKey.data());
  std::uint64_t out = 0;
  static_assert(sizeof out == sum.size());
  std::memcpy(&out, sum.data(), sizeof out);
  return out;
}

}  // namespace ward
