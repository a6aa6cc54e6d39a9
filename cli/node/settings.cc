// SPDX-License-Identifier: Apache-2.0
#include "cli/node/settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace ward::cli::node {
namespace {

Result<toml::table> parse(std::string_view text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    return fail(Code::kFailedPrecondition, name + ":" + std::to_string(at.line) + ":" +
                                               std::to_string(at.column) + ": " +
                                               std::string(error.description()));
  }
}

std::string value_text(const toml::node& node) {
  std::ostringstream text;
  node.visit([&text](const auto& value) { text << toml::toml_formatter{value}; });
  return text.str();
}

// One line, whatever the library makes of a long list: it is compared, and written as it stands
// here.
std::string inline_text(const toml::node& node) {
  std::string text;
  if (const auto* word = node.as_string(); word != nullptr) return quoted_text(word->get());
  if (const toml::array* list = node.as_array(); list != nullptr) {
    for (const toml::node& element : *list)
      text += (text.empty() ? "" : ", ") + inline_text(element);
    return "[" + text + "]";
  }
  if (const toml::table* table = node.as_table(); table != nullptr) {
    for (const auto& [key, value] : *table)
      text += (text.empty() ? "" : ", ") + key_text({std::string(key.str())}) + " = " +
              inline_text(value);
    return "{" + text + "}";
  }
  return value_text(node);
}

void flatten(const toml::table& table, KeyPath& path, Settings& settings) {
  if (table.empty() && !path.empty()) settings[path] = "{}";
  for (const auto& [key, node] : table) {
    path.emplace_back(key.str());
    if (const toml::table* below = node.as_table(); below != nullptr) {
      flatten(*below, path, settings);
    } else {
      settings[path] = inline_text(node);
    }
    path.pop_back();
  }
}

std::size_t offset_of(std::string_view text, const toml::source_position& at) {
  std::size_t offset = 0;
  for (toml::source_index line = 1; line < at.line; ++line) {
    const auto end = text.find('\n', offset);
    if (end == std::string_view::npos) return text.size();
    offset = end + 1;
  }
  return std::min(text.size(), offset + at.column - 1);
}

bool is_bare(const std::string& key) {
  return !key.empty() && key.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
                             std::string::npos;
}

}  // namespace

Result<Settings> parse_settings(std::string_view text, const std::string& name) {
  const auto table = parse(text, name);
  if (!table) return tl::unexpected(table.error());
  Settings settings;
  KeyPath path;
  flatten(*table, path, settings);
  return settings;
}

Result<std::optional<Imports>> find_imports(std::string_view text, const std::string& name) {
  const auto table = parse(text, name);
  if (!table) return tl::unexpected(table.error());
  const toml::array* list = table->get_as<toml::array>("imports");
  if (list == nullptr) return std::optional<Imports>();
  Imports imports;
  imports.begin = offset_of(text, list->source().begin);
  imports.end = offset_of(text, list->source().end);
  for (const toml::node& element : *list)
    if (const auto* word = element.as_string(); word != nullptr)
      imports.patterns.push_back(word->get());
  return std::optional<Imports>(std::move(imports));
}

bool is_below(const KeyPath& path, const KeyPath& above) {
  return path.size() >= above.size() && std::equal(above.begin(), above.end(), path.begin());
}

std::string quoted_text(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += "\\u00";
      quoted += {kHex[byte >> 4U], kHex[byte & 0xfU]};
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string key_text(const KeyPath& path) {
  std::string text;
  for (const std::string& key : path)
    text += (text.empty() ? "" : ".") + (is_bare(key) ? key : quoted_text(key));
  return text;
}

std::string text_at(const Settings& settings, const KeyPath& path) {
  const auto found = settings.find(path);
  if (found == settings.end()) return "";
  // What quoted_text() wrote: an escape is rare in names of files and runtimes, and then TOML reads
  // it.
  const auto read = parse("value = " + found->second, "value");
  return read ? (*read)["value"].value_or(std::string()) : "";
}

std::string tables_text(const Settings& settings, const KeyPath& above, const KeyPath& renamed) {
  // By table, for the values of one stand together and not between those of the tables below it.
  std::map<KeyPath, std::string> tables;
  for (auto at = settings.lower_bound(above); at != settings.end() && is_below(at->first, above);
       ++at) {
    KeyPath table = renamed;
    table.insert(table.end(), at->first.begin() + static_cast<std::ptrdiff_t>(above.size()),
                 at->first.end());
    if (at->second == "{}") {
      tables[table];
      continue;
    }
    const std::string key = key_text({table.back()});
    table.pop_back();
    tables[table] += "  " + key + " = " + at->second + "\n";
  }
  std::string text;
  for (const auto& [table, values] : tables)
    text += (table.empty() ? "" : "[" + key_text(table) + "]\n") + values;
  return text;
}

}  // namespace ward::cli::node
