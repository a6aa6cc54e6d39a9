// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/process_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "lib/base/escape.h"
#include "lib/oci/json_text.h"

namespace ward::oci {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMaxCapabilities = 1024;  // Linux has 41

struct SetName {
  const char* key;
  CapabilitySet Capabilities::*set;
};
constexpr std::array<SetName, 5> kSets{{{"bounding", &Capabilities::bounding},
                                        {"effective", &Capabilities::effective},
                                        {"inheritable", &Capabilities::inheritable},
                                        {"permitted", &Capabilities::permitted},
                                        {"ambient", &Capabilities::ambient}}};

// Is it what fold_key makes of `name`? Names are ours, plain ASCII: no string is made for each of
// them.
bool is_folded(std::string_view folded, std::string_view name) {
  return std::equal(folded.begin(), folded.end(), name.begin(), name.end(), [](char f, char n) {
    return f == (n >= 'A' && n <= 'Z' ? static_cast<char>(n - 'A' + 'a') : n);
  });
}

bool is_list_of_strings(const ordered_json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const auto& e) { return e.is_string(); });
}

Result<void> check_capabilities(const ordered_json& capabilities) {
  if (!capabilities.is_object())
    return fail(Code::kInvalidArgument, "process.capabilities must be an object");
  auto spelling = check_spelling(capabilities,
                                 {"bounding", "effective", "inheritable", "permitted", "ambient"});
  if (!spelling) return fail_with("process.capabilities", std::move(spelling).error());
  for (const SetName& set : kSets) {
    const auto found = capabilities.find(set.key);
    if (found == capabilities.end() || found->is_null()) continue;
    const std::string what = std::string("process.capabilities.") + set.key;
    if (!is_list_of_strings(*found))
      return fail(Code::kInvalidArgument, what + " must be a list of strings");
    // They are sorted and compared with those that are allowed.
    if (found->size() > kMaxCapabilities) {
      return fail(Code::kResourceExhausted, what + " has " + std::to_string(found->size()) +
                                                " names, at most " +
                                                std::to_string(kMaxCapabilities) + " are read");
    }
  }
  return {};
}

}  // namespace

Result<void> check_spelling(const ordered_json& object,
                            std::initializer_list<std::string_view> names) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    const std::string folded = fold_key(key);
    const auto* const taken = std::find_if(
        names.begin(), names.end(), [&](std::string_view name) { return is_folded(folded, name); });
    if (taken == names.end()) continue;
    return fail(Code::kInvalidArgument, "key '" + escape(key, 64) + "' must be spelt '" +
                                            std::string(*taken) +
                                            "': the runtime would take one for the other");
  }
  return {};
}

Result<void> check_process(const ordered_json& process) {
  if (!process.is_object()) return fail(Code::kInvalidArgument, "process must be an object");
  auto spelling = check_spelling(process, {"capabilities", "noNewPrivileges", "terminal"});
  if (!spelling) return fail_with("process", std::move(spelling).error());
  for (const char* key : {"noNewPrivileges", "terminal"}) {
    const auto found = process.find(key);
    if (found == process.end() || found->is_null() || found->is_boolean()) continue;
    return fail(Code::kInvalidArgument, std::string("process.") + key + " must be true or false");
  }
  const auto capabilities = process.find("capabilities");
  if (capabilities == process.end() || capabilities->is_null()) return {};
  return check_capabilities(*capabilities);
}

std::optional<Capabilities> read_capabilities(const ordered_json& process) {
  const auto found = process.find("capabilities");
  if (found == process.end() || found->is_null()) return std::nullopt;
  Capabilities capabilities;
  for (const SetName& set : kSets) {
    const auto list = found->find(set.key);
    if (list == found->end() || list->is_null()) continue;
    CapabilitySet& names = capabilities.*set.set;
    for (const ordered_json& name : *list) names.push_back(name.get_ref<const std::string&>());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  return capabilities;
}

void write_capabilities(ordered_json& process, const Capabilities& capabilities) {
  ordered_json& tree = process["capabilities"];
  if (!tree.is_object()) tree = ordered_json::object();
  for (const SetName& set : kSets) tree[set.key] = capabilities.*set.set;
}

bool read_flag(const ordered_json& process, const char* key) {
  const auto found = process.find(key);
  return found != process.end() && found->is_boolean() && found->get<bool>();
}

}  // namespace ward::oci
