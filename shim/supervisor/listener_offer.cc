// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/listener_offer.h"

#include <nlohmann/json.hpp>

namespace ward::shim {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxIdBytes = 1024;

bool too_deep(std::string_view json) {
  // Brackets inside of strings count as well: no genuine message comes near the limit either way.
  int depth = 0;
  for (const char c : json) {
    if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<ContainerProcessState> parse_process_state(std::string_view json) {
  if (too_deep(json)) return fail(Code::kInvalidArgument, "the process state is nested too deeply");
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object()) return fail(Code::kInvalidArgument, "the process state is not a JSON object");
  const auto string_at = [](const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto fds = document.find("fds");
  if (fds == document.end() || !fds->is_array() || fds->size() != 1 || (*fds)[0] != "seccompFd") {
    return fail(Code::kInvalidArgument, "the process state does not announce exactly one seccompFd");
  }
  const auto pid = document.find("pid");
  if (pid == document.end() || !pid->is_number_integer()) {
    return fail(Code::kInvalidArgument, "the process state has no pid");
  }
  const auto number = pid->get<std::int64_t>();
  const auto state = document.find("state");
  if (number <= 0 || number > (1 << 22) || state == document.end() || !state->is_object()) {
    return fail(Code::kInvalidArgument, "the process state has no valid pid or no state");
  }
  ContainerProcessState parsed;
  parsed.pid = static_cast<pid_t>(number);
  parsed.container_id = string_at(*state, "id");
  parsed.status = string_at(*state, "status");
  parsed.metadata = string_at(document, "metadata");
  if (parsed.container_id.empty() || parsed.container_id.size() > kMaxIdBytes) {
    return fail(Code::kInvalidArgument, "the process state has no container id");
  }
  return parsed;
}

}  // namespace ward::shim
