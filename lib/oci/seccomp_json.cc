// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/seccomp_json.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "lib/base/escape.h"
#include "lib/oci/bundle.h"
#include "lib/oci/json_text.h"

namespace ward::oci {
namespace {

using nlohmann::ordered_json;

// null and absent are the same thing to Go, which writes these documents.
const ordered_json* find_member(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

tl::unexpected<Error> wrong_type(std::string_view key, std::string_view expected) {
  return fail(Code::kInvalidArgument, std::string(key) + " must be " + std::string(expected));
}

Result<std::string> read_string(const ordered_json& object, const char* key) {
  const ordered_json* value = find_member(object, key);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return wrong_type(key, "a string");
  return value->get_ref<const std::string&>();
}

Result<std::vector<std::string>> read_strings(const ordered_json& object, const char* key) {
  std::vector<std::string> strings;
  const ordered_json* value = find_member(object, key);
  if (value == nullptr) return strings;
  if (!value->is_array()) return wrong_type(key, "a list of strings");
  for (const ordered_json& element : *value) {
    if (!element.is_string()) return wrong_type(key, "a list of strings");
    strings.push_back(element.get_ref<const std::string&>());
  }
  return strings;
}

// parse_tree reads every whole number that is not negative as unsigned.
Result<std::optional<std::uint64_t>> read_unsigned(const ordered_json& object, const char* key,
                                                   std::uint64_t max) {
  const ordered_json* value = find_member(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() > max) {
    return wrong_type(key, "a whole number, 0 to " + std::to_string(max));
  }
  return value->get<std::uint64_t>();
}

Result<SeccompAction> read_action(const ordered_json& object, const char* key) {
  auto name = read_string(object, key);
  if (!name) return tl::unexpected(std::move(name).error());
  const auto action = find_action(*name);
  if (!action)
    return fail(Code::kInvalidArgument,
                std::string(key) + ": unknown action '" + escape(*name, 64) + "'");
  return *action;
}

Result<std::optional<std::uint32_t>> read_errno(const ordered_json& object, const char* key) {
  const auto value = read_unsigned(object, key, std::numeric_limits<std::uint32_t>::max());
  if (!value) return tl::unexpected(value.error());
  if (!*value) return std::nullopt;
  return static_cast<std::uint32_t>(**value);
}

Result<SeccompArg> read_arg(const ordered_json& tree) {
  if (!tree.is_object()) return wrong_type("args", "a list of objects");
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  const auto index = read_unsigned(tree, "index", 5);
  const auto value = read_unsigned(tree, "value", kMax);
  const auto value_two = read_unsigned(tree, "valueTwo", kMax);
  auto op_name = read_string(tree, "op");
  if (!index) return tl::unexpected(index.error());
  if (!value) return tl::unexpected(value.error());
  if (!value_two) return tl::unexpected(value_two.error());
  if (!op_name) return tl::unexpected(std::move(op_name).error());
  const auto op = find_compare_op(*op_name);
  if (!op)
    return fail(Code::kInvalidArgument, "op: unknown comparison '" + escape(*op_name, 64) + "'");
  return SeccompArg{static_cast<std::uint32_t>(index->value_or(0)), value->value_or(0),
                    value_two->value_or(0), *op};
}

Result<SeccompRule> read_rule(const ordered_json& tree) {
  if (!tree.is_object()) return wrong_type("syscalls", "a list of objects");
  SeccompRule rule;
  auto names = read_strings(tree, "names");
  if (!names) return tl::unexpected(std::move(names).error());
  rule.names = *std::move(names);
  const auto action = read_action(tree, "action");
  if (!action) return tl::unexpected(action.error());
  rule.action = *action;
  const auto errno_ret = read_errno(tree, "errnoRet");
  if (!errno_ret) return tl::unexpected(errno_ret.error());
  rule.errno_ret = *errno_ret;
  if (const ordered_json* args = find_member(tree, "args")) {
    if (!args->is_array()) return wrong_type("args", "a list of objects");
    for (const ordered_json& element : *args) {
      const auto arg = read_arg(element);
      if (!arg) return tl::unexpected(arg.error());
      rule.args.push_back(*arg);
    }
  }
  return rule;
}

ordered_json rule_to_tree(const SeccompRule& rule) {
  ordered_json tree = {{"names", rule.names}, {"action", action_name(rule.action)}};
  if (rule.errno_ret) tree["errnoRet"] = *rule.errno_ret;
  if (rule.args.empty()) return tree;
  ordered_json& args = tree["args"] = ordered_json::array();
  for (const SeccompArg& arg : rule.args) {
    ordered_json one = {{"index", arg.index}, {"value", arg.value}};
    if (arg.op == CompareOp::kMaskedEq) one["valueTwo"] = arg.value_two;
    one["op"] = compare_op_name(arg.op);
    args.push_back(std::move(one));
  }
  return tree;
}

}  // namespace

Result<ordered_json> parse_tree(std::string_view text) {
  if (auto bounds = check_json_bounds(text, kMaxConfigBytes, kMaxConfigDepth); !bounds) {
    return tl::unexpected(std::move(bounds).error());
  }
  try {
    return ordered_json::parse(text);
  } catch (const std::exception& e) {
    // "[json.exception.parse_error.101] parse error at line 1, ...": the first word says nothing to
    // who wrote the document. The parser quotes what it last read: bytes of the document.
    std::string_view reason = e.what();
    if (const auto end = reason.find("] ");
        reason.starts_with("[json.exception") && end != std::string_view::npos) {
      reason.remove_prefix(end + 2);
    }
    return fail(Code::kInvalidArgument, escape(reason));
  }
}

ordered_json seccomp_to_tree(const Seccomp& seccomp) {
  ordered_json tree = {{"defaultAction", action_name(seccomp.default_action)}};
  if (seccomp.default_errno_ret) tree["defaultErrnoRet"] = *seccomp.default_errno_ret;
  if (!seccomp.architectures.empty()) tree["architectures"] = seccomp.architectures;
  if (seccomp.flags) tree["flags"] = *seccomp.flags;
  if (!seccomp.listener_path.empty()) tree["listenerPath"] = seccomp.listener_path;
  if (!seccomp.listener_metadata.empty()) tree["listenerMetadata"] = seccomp.listener_metadata;
  ordered_json& rules = tree["syscalls"] = ordered_json::array();
  for (const SeccompRule& rule : seccomp.rules) rules.push_back(rule_to_tree(rule));
  return tree;
}

bool says_no_filter(const ordered_json& tree) {
  const auto is_empty = [&](const char* key, const ordered_json& empty) {
    const ordered_json* value = find_member(tree, key);
    return value == nullptr || *value == empty;
  };
  return tree.is_object() && is_empty("defaultAction", "") &&
         is_empty("syscalls", ordered_json::array());
}

Result<Seccomp> seccomp_from_tree(const ordered_json& tree) {
  if (!tree.is_object()) return wrong_type("seccomp", "an object");
  Seccomp seccomp;
  const auto action = read_action(tree, "defaultAction");
  if (!action) return tl::unexpected(action.error());
  seccomp.default_action = *action;
  const auto errno_ret = read_errno(tree, "defaultErrnoRet");
  if (!errno_ret) return tl::unexpected(errno_ret.error());
  seccomp.default_errno_ret = *errno_ret;
  auto architectures = read_strings(tree, "architectures");
  auto flags = read_strings(tree, "flags");
  auto listener_path = read_string(tree, "listenerPath");
  auto listener_metadata = read_string(tree, "listenerMetadata");
  if (!architectures) return tl::unexpected(std::move(architectures).error());
  if (!flags) return tl::unexpected(std::move(flags).error());
  if (!listener_path) return tl::unexpected(std::move(listener_path).error());
  if (!listener_metadata) return tl::unexpected(std::move(listener_metadata).error());
  seccomp.architectures = *std::move(architectures);
  if (find_member(tree, "flags") != nullptr) seccomp.flags = *std::move(flags);
  seccomp.listener_path = *std::move(listener_path);
  seccomp.listener_metadata = *std::move(listener_metadata);
  const ordered_json* rules = find_member(tree, "syscalls");
  if (rules == nullptr) return seccomp;
  if (!rules->is_array()) return wrong_type("syscalls", "a list of objects");
  for (std::size_t i = 0; i < rules->size(); ++i) {
    auto rule = read_rule((*rules)[i]);
    if (!rule) return fail_with("syscalls[" + std::to_string(i) + "]", std::move(rule).error());
    seccomp.rules.push_back(*std::move(rule));
  }
  return seccomp;
}

std::string seccomp_to_json(const Seccomp& seccomp) {
  return seccomp_to_tree(seccomp).dump(2, ' ', false, ordered_json::error_handler_t::replace) +
         "\n";
}

Result<Seccomp> seccomp_from_json(std::string_view json) {
  const auto tree = parse_tree(json);
  if (!tree) return tl::unexpected(tree.error());
  return seccomp_from_tree(*tree);
}

}  // namespace ward::oci
