// SPDX-License-Identifier: Apache-2.0
#include "cli/present/since.h"

#include <charconv>
#include <ctime>
#include <optional>

#include "lib/base/escape.h"

namespace ward::cli {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kMost_s = 100LL * 366 * 86'400;

std::optional<std::int64_t> seconds_of(char unit) {
  switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86'400;
    default: return std::nullopt;
  }
}

std::optional<std::int64_t> seconds_ago(const std::string& text) {
  const auto unit = text.empty() ? std::nullopt : seconds_of(text.back());
  if (!unit) return std::nullopt;
  std::int64_t number = 0;
  const char* end = text.data() + text.size() - 1;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < 0 || number > kMost_s / *unit)
    return std::nullopt;
  return number * *unit;
}

// The whole text but for a fraction of a second, which is cut off.
std::optional<std::int64_t> moment(const std::string& text, const char* format, bool utc) {
  tm parts{};
  parts.tm_isdst = -1;
  const char* rest = ::strptime(text.c_str(), format, &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') {
    do ++rest;
    while (*rest >= '0' && *rest <= '9');
  }
  if (std::string(rest) != (utc ? "Z" : "")) return std::nullopt;
  return utc ? ::timegm(&parts) : ::mktime(&parts);
}

}  // namespace

Result<std::int64_t> parse_since(const std::string& text, std::int64_t now_wall_ns) {
  if (const auto ago = seconds_ago(text)) return now_wall_ns - *ago * kSecond_ns;
  auto found = moment(text, "%Y-%m-%dT%H:%M:%S", true);
  if (!found) found = moment(text, "%Y-%m-%d %H:%M:%S", false);
  if (!found) found = moment(text, "%Y-%m-%d", false);
  if (!found || *found < 0 || *found > kMost_s) {
    return fail(Code::kInvalidArgument,
                "'" + escape(text, 60) +
                    "' is no time: write 10m (s, m, h or d), 2026-11-23T18:43:01Z, or "
                    "'2026-11-23 18:43:01'");
  }
  return *found * kSecond_ns;
}

}  // namespace ward::cli
