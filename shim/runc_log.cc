// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "shim/runc.h"

namespace ward::shim {

std::string find_last_error(std::string_view log) {
  std::string last;
  while (!log.empty()) {
    const auto end = std::min(log.find('\n'), log.size());
    const auto record = nlohmann::json::parse(log.substr(0, end), nullptr, /*allow_exceptions=*/false);
    log.remove_prefix(std::min(end + 1, log.size()));
    if (!record.is_object()) continue;
    const auto level = record.find("level");
    const auto message = record.find("msg");
    if (level == record.end() || message == record.end() || !level->is_string() || !message->is_string()) continue;
    const auto& name = level->get_ref<const std::string&>();
    if (name == "error" || name == "fatal") last = message->get<std::string>();
  }
  return last;
}

bool says_not_found(std::string_view message) {
  std::string lower(message);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* text : {"does not exist", "container not running", "no such process", "process already finished",
                           "os: process already finished", "not running"}) {
    if (lower.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace ward::shim
