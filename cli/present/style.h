// SPDX-License-Identifier: Apache-2.0
// Colour for people: only on a terminal, never with NO_COLOR or TERM=dumb. Everything that goes to
// a person's terminal and was not written by us passes through here escaped (I7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ward::cli {

class Style {
 public:
  // Looks at the descriptor the text will go to.
  explicit Style(int fd);
  [[nodiscard]] std::string bold(std::string_view text) const { return paint("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return paint("2", text); }
  [[nodiscard]] std::string good(std::string_view text) const { return paint("32", text); }
  [[nodiscard]] std::string warn(std::string_view text) const { return paint("33", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return paint("31", text); }
  [[nodiscard]] bool coloured() const { return coloured_; }

 private:
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;
  bool coloured_;
};

std::string local_time(std::int64_t wall_ns);                // "2026-11-23 18:43:01.123", "-" for 0
std::string age(std::int64_t wall_ns, std::int64_t now_ns);  // "12s", "3m", "5h", "2d"
std::string short_digest(std::string_view digest);           // first 12 characters
std::string microseconds(std::int64_t us);                   // "812 us", "3.4 ms", "1.2 s"

}  // namespace ward::cli
