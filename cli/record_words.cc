// SPDX-License-Identifier: Apache-2.0
#include "cli/record_words.h"

#include <algorithm>
#include <charconv>

#include "lib/base/escape.h"
#include "profiles/words.h"

namespace ward::cli {

Result<std::chrono::seconds> parse_length(const std::string& text) {
  constexpr int kLongest_s = 24 * 3600;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const int seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || seconds == 0 || number < 1 || number > kLongest_s / seconds) {
    return fail(Code::kInvalidArgument, "'" + escape(text, 80) +
                                            "' is no length of a recording: 60s, 5m or 2h, a day "
                                            "at most");
  }
  return std::chrono::seconds(number * seconds);
}

std::string workload_of(const std::vector<std::string>& patterns) {
  if (patterns.size() != 1) return "";
  std::string name = patterns.front().substr(patterns.front().rfind('/') + 1);
  while (!name.empty() && std::string_view("*-_.").find(name.back()) != std::string_view::npos)
    name.pop_back();
  return profiles::is_name(name) ? name : "";
}

bool are_literal(const std::vector<std::string>& patterns) {
  return std::none_of(patterns.begin(), patterns.end(), [](const std::string& pattern) {
    return pattern.find('*') != std::string::npos;
  });
}

}  // namespace ward::cli
