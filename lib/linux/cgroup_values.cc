// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/cgroup_values.h"

#include <algorithm>
#include <charconv>

#include "lib/base/file.h"

namespace ward {

std::optional<std::uint64_t> parse_cgroup_value(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  if (text == "max") return kNoCgroupLimit;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string read_cgroup_text(const std::filesystem::path& file) {
  return read_file(file, 1U << 20U).value_or("");
}

std::optional<std::uint64_t> read_cgroup_value(const std::filesystem::path& file) {
  return parse_cgroup_value(read_cgroup_text(file));
}

std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

std::optional<std::uint64_t> find_cgroup_key(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    auto line = take_line(text);
    if (take_word(line) == key) return parse_cgroup_value(take_word(line));
  }
  return std::nullopt;
}

}  // namespace ward
