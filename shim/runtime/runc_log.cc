// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>

#include "lib/json/json.h"
#include "shim/runtime/runc.h"

namespace ward::shim::runtime {

// A record begins with a brace in the first column: runc writes one a line, newer crun spreads it
// over several.
std::string find_last_error(std::string_view log) {
  constexpr std::size_t kLongestRecord = 64U << 10U;
  std::string last, open;
  while (!log.empty()) {
    const auto end = std::min(log.find('\n'), log.size());
    const auto line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    if (line.empty()) continue;
    if (line.front() == '{' || open.size() > kLongestRecord) open.clear();
    open.append(line);
    if (line.back() != '}') continue;
    const auto record = parse_json<nlohmann::json>(open);
    if (!record.is_object()) continue;
    const auto level = record.find("level");
    const auto message = record.find("msg");
    if (level == record.end() || message == record.end() || !level->is_string() ||
        !message->is_string())
      continue;
    const auto& name = level->get_ref<const std::string&>();
    if (name == "error" || name == "fatal") last = message->get<std::string>();
  }
  return last;
}

bool says_not_found(std::string_view message) {
  std::string lower(message);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const char* text :
       {"does not exist", "container not running", "no such process", "process already finished",
        "os: process already finished", "not running"}) {
    if (lower.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace ward::shim::runtime
