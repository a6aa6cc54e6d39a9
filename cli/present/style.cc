// SPDX-License-Identifier: Apache-2.0
#include "cli/present/style.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace ward::cli {

Style::Style(int fd) {
  const char* term = std::getenv("TERM");
  const bool dumb =
      term == nullptr || std::string_view(term) == "dumb" || std::string_view(term).empty();
  const char* no_color = std::getenv("NO_COLOR");
  coloured_ = ::isatty(fd) == 1 && !dumb && (no_color == nullptr || *no_color == '\0');
}

std::string Style::paint(std::string_view code, std::string_view text) const {
  if (!coloured_) return std::string(text);
  std::string out = "\x1b[";
  out += code;
  out += 'm';
  out += text;
  out += "\x1b[0m";
  return out;
}

std::string local_time(std::int64_t wall_ns) {
  if (wall_ns <= 0) return "-";
  const std::time_t seconds = wall_ns / 1'000'000'000;
  tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> day{};
  const std::size_t n = std::strftime(day.data(), day.size(), "%F %T", &local);
  std::array<char, 8> millis{};
  std::snprintf(millis.data(), millis.size(), ".%03d",
                static_cast<int>(wall_ns / 1'000'000 % 1000));
  return std::string(day.data(), n) + millis.data();
}

std::string age(std::int64_t wall_ns, std::int64_t now_ns) {
  if (wall_ns <= 0 || now_ns < wall_ns) return "-";
  const std::int64_t seconds = (now_ns - wall_ns) / 1'000'000'000;
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 7200) return std::to_string(seconds / 60) + "m";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

std::string short_digest(std::string_view digest) {
  return digest.empty() ? "-" : std::string(digest.substr(0, 12));
}

std::string microseconds(std::int64_t us) {
  if (us < 1000) return std::to_string(us) + " us";
  std::array<char, 32> text{};
  if (us < 1'000'000) {
    std::snprintf(text.data(), text.size(), "%.1f ms", static_cast<double>(us) / 1e3);
  } else {
    std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(us) / 1e6);
  }
  return text.data();
}

}  // namespace ward::cli
