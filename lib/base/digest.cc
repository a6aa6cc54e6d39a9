// SPDX-License-Identifier: Apache-2.0
#include "lib/base/digest.h"

#include <sodium/crypto_hash_sha256.h>
#include <sys/random.h>

#include <array>
#include <cstdlib>

namespace ward {

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<char, crypto_hash_sha256_BYTES> sum{};
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(sum.data()),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return hex({sum.data(), sum.size()});
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  // A short read is only possible above 256 bytes; without randomness there is no safe way on.
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(bytes)) std::abort();
  return hex(raw);
}

}  // namespace ward
