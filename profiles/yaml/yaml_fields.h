// SPDX-License-Identifier: Apache-2.0
// Typed, strict access to a YamlNode: each function either gives the value or complains with
// file:line:column and what would be right. Several complaints are collected, so that a person
// repairs a file in one go. Used by read_profile and read_policy.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profiles/yaml/document_keys.h"
#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {

class Reading {
 public:
  // `sections` of the kind of document: where a key that stands in the wrong place belongs. They
  // outlive it.
  explicit Reading(std::string_view file_name, const Sections* sections = nullptr)
      : file_name_(file_name), sections_(sections) {}
  void complain(Position at, std::string_view what);
  [[nodiscard]] bool ok() const { return complaints_.empty(); }
  [[nodiscard]] Error error()
      const;  // kInvalidArgument; one complaint a line, in the order of the file
  // ": it belongs in match", or what was meant, or what there is instead, for a key that is not
  // known where it stands.
  [[nodiscard]] std::string advice(std::string_view key, const Keys& known) const;

 private:
  struct Complaint {
    Position at;
    std::string what;
  };
  std::string file_name_;
  const Sections* sections_;
  std::vector<Complaint> complaints_;
};

// Of a key of a map; nullptr where it has none.
const YamlNode* find_value(const YamlNode& map, std::string_view key);

// The keys of a map. Complains at once about a node that is no map and about keys that are not
// known.
class Fields {
 public:
  Fields(Reading& reading, const YamlNode& node, std::string_view what, const Keys& known);
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
  [[nodiscard]] const YamlNode* require(
      std::string_view key) const;  // complains where it is missing
  [[nodiscard]] const YamlNode& node() const { return node_; }

 private:
  Reading& reading_;
  const YamlNode& node_;
  std::string what_;
};

// Each complains and gives nothing where the node is not of that kind. `what` names the field in
// the complaint.
std::optional<std::string> read_text(Reading& reading, const YamlNode& node, std::string_view what);
std::optional<bool> read_bool(Reading& reading, const YamlNode& node, std::string_view what);
std::optional<std::uint64_t> read_number(Reading& reading, const YamlNode& node,
                                         std::string_view what);
std::optional<std::chrono::milliseconds> read_duration(Reading& reading, const YamlNode& node,
                                                       std::string_view what);
const std::vector<YamlNode>* read_list(Reading& reading, const YamlNode& node,
                                       std::string_view what);

// One of a few words; the index of the one found.
std::optional<std::size_t> read_choice(Reading& reading, const YamlNode& node,
                                       std::string_view what,
                                       const std::vector<std::string_view>& choices);

// The text as a tree of a Ward document: refused where it is no map, or plainly somebody else's
// (foreign_document.h).
Result<YamlNode> parse_document(std::string_view text, std::string_view file_name);

// apiVersion and kind, as every Ward document has them, then the top-level keys.
void check_document(Reading& reading, const Fields& fields, std::string_view kind);

// The keys of `metadata` that every kind has for people and their tools: `labels` and
// `annotations`, texts under names. Nobody reads what they say, and they are not part of a
// profile's identity.
void check_notes(Reading& reading, const Fields& metadata);

std::string format_duration(
    std::chrono::milliseconds value);  // "10s", "5m", "1h", "250ms": what read_duration reads

}  // namespace ward::profiles
