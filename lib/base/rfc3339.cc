// SPDX-License-Identifier: Apache-2.0
#include "lib/base/rfc3339.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace ward {

std::string format_rfc3339(std::int64_t wall_ns) {
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  const std::int64_t fraction = (wall_ns % kSecond_ns + kSecond_ns) % kSecond_ns;
  const std::time_t seconds = (wall_ns - fraction) / kSecond_ns;
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + n, text.size() - n, ".%09dZ", static_cast<int>(fraction));
  return text.data();
}

}  // namespace ward
