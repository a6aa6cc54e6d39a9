// SPDX-License-Identifier: Apache-2.0
#include "shim/command/invocation.h"

#include <optional>
#include <string_view>

namespace ward::shim::command {
namespace {

struct Flag {
  std::string name;
  std::optional<std::string> value;
};

std::optional<Flag> split_flag(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return std::nullopt;
  argument.remove_prefix(argument[1] == '-' ? 2 : 1);
  const auto equals = argument.find('=');
  Flag flag{std::string(argument.substr(0, equals)), std::nullopt};
  if (equals != std::string_view::npos) flag.value = std::string(argument.substr(equals + 1));
  return flag;
}

bool is_set(const Flag& flag) { return !flag.value || *flag.value == "true" || *flag.value == "1"; }

}  // namespace

Result<Invocation> parse_invocation(const std::vector<std::string>& arguments) {
  Invocation result;
  const std::pair<std::string_view, std::string*> texts[] = {
      {"namespace", &result.containerd_namespace},
      {"id", &result.id},
      {"address", &result.address},
      {"bundle", &result.bundle},
      {"socket", &result.socket},
      {"publish-binary", nullptr},
      {"debug-socket", nullptr}};
  std::string action;  // the last word: an unknown flag's value may stand before it
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto flag = split_flag(arguments[i]);
    if (!flag) {
      action = arguments[i];
      result.action_at = i;
      continue;
    }
    if (flag->name == "v" || flag->name == "version") result.action = Action::kVersion;
    if (flag->name == "info") result.action = Action::kInfo;
    if (flag->name == "debug") result.debug = is_set(*flag);
    for (const auto& [name, to] : texts) {
      if (flag->name != name) continue;
      if (!flag->value && i + 1 == arguments.size()) {
        return fail(Code::kInvalidArgument, "flag needs an argument: -" + flag->name);
      }
      const std::string& value = flag->value ? *flag->value : arguments[++i];
      if (to != nullptr) *to = value;
    }
  }
  if (result.action == Action::kVersion || result.action == Action::kInfo) return result;
  if (action == "start") result.action = Action::kStart;
  if (action == "delete") result.action = Action::kDelete;
  if (result.containerd_namespace.empty())
    return fail(Code::kInvalidArgument, "shim namespace cannot be empty");
  if (result.action != Action::kServe && result.id.empty()) {
    return fail(Code::kInvalidArgument, "shim id cannot be empty");
  }
  return result;
}

}  // namespace ward::shim::command
