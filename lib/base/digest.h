// SPDX-License-Identifier: Apache-2.0
// SHA-256 (libsodium's) and lower-case hex.
#pragma once

#include <string>
#include <string_view>

namespace ward {

std::string sha256_hex(std::string_view bytes);  // 64 characters
std::string hex(std::string_view bytes);
std::string random_hex(std::size_t bytes);  // from getrandom(2)

}  // namespace ward
