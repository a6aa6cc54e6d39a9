// SPDX-License-Identifier: Apache-2.0
#include "profiles/words.h"

#include <algorithm>

namespace ward::profiles {

const std::vector<std::string_view>& refused_names() {
  static const std::vector<std::string_view> names = {"log", "act"};
  return names;
}

const std::vector<std::string_view>& missing_names() {
  static const std::vector<std::string_view> names = {"refuse", "baseline", "learn"};
  return names;
}

const std::vector<std::string_view>& posture_names() {
  static const std::vector<std::string_view> names = {"strict", "balanced", "lenient"};
  return names;
}

std::string_view refused_name(Refused refused) {
  return refused_names()[static_cast<std::size_t>(refused)];
}
std::string_view missing_name(Missing missing) {
  return missing_names()[static_cast<std::size_t>(missing)];
}
std::string_view posture_name(Posture posture) {
  return posture_names()[static_cast<std::size_t>(posture)];
}

bool is_name(std::string_view text) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || text.size() > 63 || !is_alphanumeric(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace ward::profiles
