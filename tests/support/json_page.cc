// SPDX-License-Identifier: Apache-2.0
#include "tests/support/json_page.h"

#include <fstream>
#include <regex>
#include <set>

namespace ward::test {
namespace {

const std::string kList = "list of ";
const std::string kMap = "map of ";

bool starts_with(const std::string& text, const std::string& begin) {
  return text.rfind(begin, 0) == 0;
}

bool is_simple(const nlohmann::json& value, const std::string& type) {
  static const std::regex kDigits("-?[0-9]+");
  static const std::regex kTime(R"(|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)");
  if (type == "text") return value.is_string();
  if (type == "big integer")
    return value.is_string() && std::regex_match(value.get<std::string>(), kDigits);
  if (type == "time") return value.is_string() && std::regex_match(value.get<std::string>(), kTime);
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "document") return value.is_object();
  return type == "boolean" && value.is_boolean();
}

std::set<std::string> big_integers() {
  std::set<std::string> names;
  const JsonPage page;
  for (const auto& [table, fields] : page.tables()) {
    for (const auto& [name, type] : fields) {
      if (type.size() >= 11 && type.compare(type.size() - 11, 11, "big integer") == 0)
        names.insert(name);
    }
  }
  return names;
}

void make_numbers(nlohmann::json& value, bool big) {
  static const std::set<std::string> kBig = big_integers();
  if (value.is_object()) {
    for (auto& [key, inner] : value.items()) make_numbers(inner, big || kBig.count(key) != 0);
  } else if (value.is_array()) {
    for (auto& inner : value) make_numbers(inner, big);
  } else if (big && value.is_string()) {
    // A name may be one of text elsewhere ("version"): what is no number stays.
    const auto number = parse_json<nlohmann::json>(value.get<std::string>());
    if (number.is_number_integer()) value = number;
  }
}

}  // namespace

JsonPage::JsonPage() {
  static const std::regex kHeading("#+ (\\w+)");
  static const std::regex kRow("\\| (\\w+) \\| ([\\w ]+) \\| .*\\|");
  std::ifstream page(WARD_SOURCE_DIR "/docs/json.md");
  std::string table;
  std::smatch found;
  for (std::string line; std::getline(page, line);) {
    if (std::regex_match(line, found, kHeading)) table = found[1];
    if (std::regex_match(line, found, kRow) && found[1] != "field")
      tables_[table][found[1]] = found[2];
  }
}

std::string JsonPage::why_not(const nlohmann::json& document) const {
  const std::string begin_with = "ward.dev/v1/";
  if (!document.is_object() || !document.contains("schema") || !document["schema"].is_string()) {
    return "a document without `schema`";
  }
  const std::string schema = document["schema"];
  if (!starts_with(schema, begin_with)) return "schema " + schema;
  return why_not_table(document, schema.substr(begin_with.size()),
                       schema.substr(begin_with.size()));
}

std::string JsonPage::why_not_table(const nlohmann::json& value, const std::string& table,
                                    const std::string& path) const {
  const auto found = tables_.find(table);
  if (found == tables_.end()) return path + ": docs/json.md has no table '" + table + "'";
  if (!value.is_object()) return path + ": no object";
  for (const auto& [name, inner] : value.items()) {
    const auto field = found->second.find(name);
    if (field == found->second.end()) return path + "." + name + " is not in docs/json.md";
    if (const auto why = why_not_type(inner, field->second, path + "." + name); !why.empty())
      return why;
  }
  for (const auto& [name, type] : found->second) {
    if (!value.contains(name)) return path + "." + name + " is missing";
  }
  return "";
}

std::string JsonPage::why_not_type(const nlohmann::json& value, const std::string& type,
                                   const std::string& path) const {
  if (starts_with(type, kList) || starts_with(type, kMap)) {
    const bool list = starts_with(type, kList);
    if (list ? !value.is_array() : !value.is_object())
      return path + " is no " + type + ": " + value.dump();
    for (const auto& [key, inner] : value.items()) {
      const auto why =
          why_not_type(inner, type.substr((list ? kList : kMap).size()), path + "." + key);
      if (!why.empty()) return why;
    }
    return "";
  }
  if (tables_.count(type) != 0) return why_not_table(value, type, path);
  return is_simple(value, type) ? "" : path + " is no " + type + ": " + value.dump();
}

nlohmann::json with_numbers(nlohmann::json document) {
  make_numbers(document, false);
  return document;
}

}  // namespace ward::test
