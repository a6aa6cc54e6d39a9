// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/yaml_fields.h"

#include <algorithm>
#include <array>

#include "lib/base/escape.h"
#include "lib/oci/nearest.h"
#include "profiles/filter/constants.h"
#include "profiles/yaml/foreign_document.h"

namespace ward::profiles {
namespace {

constexpr std::size_t kMaxComplaints = 20;

std::string_view kind_text(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull: return "nothing: fill it in, or remove it";
    case YamlNode::Kind::kScalar: return node.quoted ? "a quoted text" : "a single value";
    case YamlNode::Kind::kSequence: return "a list";
    case YamlNode::Kind::kMap: return "a map";
  }
  return "something else";
}

void complain_kind(Reading& reading, const YamlNode& node, std::string_view what,
                   std::string_view expected) {
  reading.complain(node.at, std::string(what) + " must be " + std::string(expected) + ", not " +
                                std::string(kind_text(node)));
}

struct Unit {
  std::string_view suffix;
  std::uint64_t milliseconds;
};
constexpr std::array<Unit, 4> kUnits = {{{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::uint64_t kMaxDuration_ms = 365ULL * 24 * 3'600'000;

}  // namespace

void Reading::complain(Position at, std::string_view what) {
  complaints_.push_back({at, std::string(what)});
}

Error Reading::error() const {
  std::vector<Complaint> sorted = complaints_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Complaint& a, const Complaint& b) {
    return a.at.line != b.at.line ? a.at.line < b.at.line : a.at.column < b.at.column;
  });
  std::string message;
  for (std::size_t i = 0; i < sorted.size() && i < kMaxComplaints; ++i) {
    if (i > 0) message += "\n";
    message += format_position(file_name_, sorted[i].at) + ": " + sorted[i].what;
  }
  if (sorted.size() > kMaxComplaints) {
    message += "\n... and " + std::to_string(sorted.size() - kMaxComplaints) + " more";
  }
  return Error{Code::kInvalidArgument, message, 0};
}

std::string Reading::advice(std::string_view key, const Keys& known) const {
  if (std::string near = oci::hint(key, known); !near.empty()) return near;
  std::string homes;
  for (const Section* section : sections_ == nullptr ? Sections{} : *sections_) {
    const bool has_it =
        std::find(section->keys.begin(), section->keys.end(), key) != section->keys.end();
    if (has_it) homes += (homes.empty() ? "" : " or ") + std::string(section->name);
  }
  if (!homes.empty()) return ": it belongs in " + homes;
  std::string all;
  for (const std::string_view one : known) all += (all.empty() ? "" : ", ") + std::string(one);
  return ": the keys here are " + all;
}

Fields::Fields(Reading& reading, const YamlNode& node, std::string_view what, const Keys& known)
    : reading_(reading), node_(node), what_(what) {
  if (node.kind != YamlNode::Kind::kMap) {
    complain_kind(reading, node, what, "a map");
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
      reading.complain(entry.at, "unknown key '" + escape(entry.key, 60) + "' in " + what_ +
                                     reading.advice(entry.key, known));
    }
  }
}

const YamlNode* find_value(const YamlNode& map, std::string_view key) {
  for (const YamlEntry& entry : map.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

const YamlNode* Fields::find(std::string_view key) const { return find_value(node_, key); }

const YamlNode* Fields::require(std::string_view key) const {
  const YamlNode* found = find(key);
  if (found == nullptr && node_.kind == YamlNode::Kind::kMap) {
    reading_.complain(node_.at, what_ + " needs '" + std::string(key) + "'");
  }
  return found;
}

std::optional<std::string> read_text(Reading& reading, const YamlNode& node,
                                     std::string_view what) {
  if (node.kind != YamlNode::Kind::kScalar) {
    complain_kind(reading, node, what, "a text");
    return std::nullopt;
  }
  return node.scalar;
}

std::optional<bool> read_bool(Reading& reading, const YamlNode& node, std::string_view what) {
  if (node.kind == YamlNode::Kind::kScalar && !node.quoted) {
    if (node.scalar == "true") return true;
    if (node.scalar == "false") return false;
  }
  if (node.kind == YamlNode::Kind::kScalar) {
    reading.complain(node.at, std::string(what) + " must be true or false, not '" +
                                  escape(node.scalar, 60) + "'");
  } else {
    complain_kind(reading, node, what, "true or false");
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_number(Reading& reading, const YamlNode& node,
                                         std::string_view what) {
  if (node.kind != YamlNode::Kind::kScalar || node.quoted) {
    complain_kind(reading, node, what, "a whole number");
    return std::nullopt;
  }
  const auto value = filter::parse_number(node.scalar);
  if (!value) {
    reading.complain(node.at, std::string(what) + ": " + value.error().message);
    return std::nullopt;
  }
  return *value;
}

std::optional<std::chrono::milliseconds> read_duration(Reading& reading, const YamlNode& node,
                                                       std::string_view what) {
  if (node.kind != YamlNode::Kind::kScalar) {
    complain_kind(reading, node, what, "a duration such as 10s");
    return std::nullopt;
  }
  const std::size_t digits =
      std::min(node.scalar.find_first_not_of("0123456789"), node.scalar.size());
  const std::string_view suffix = std::string_view(node.scalar).substr(digits);
  const auto amount = filter::parse_number(std::string_view(node.scalar).substr(0, digits));
  for (const Unit& unit : kUnits) {
    if (!amount || suffix != unit.suffix || *amount > kMaxDuration_ms / unit.milliseconds) continue;
    return std::chrono::milliseconds(*amount * unit.milliseconds);
  }
  reading.complain(node.at, std::string(what) + ": '" + escape(node.scalar, 60) +
                                "' is not a duration: write a whole number and ms, s, m or h, at "
                                "most a year, such as 10s");
  return std::nullopt;
}

const std::vector<YamlNode>* read_list(Reading& reading, const YamlNode& node,
                                       std::string_view what) {
  if (node.kind != YamlNode::Kind::kSequence) {
    complain_kind(reading, node, what, "a list in [brackets]");
    return nullptr;
  }
  return &node.items;
}

std::optional<std::size_t> read_choice(Reading& reading, const YamlNode& node,
                                       std::string_view what,
                                       const std::vector<std::string_view>& choices) {
  const auto text = read_text(reading, node, what);
  if (!text) return std::nullopt;
  const auto found = std::find(choices.begin(), choices.end(), *text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  std::string message = std::string(what) + " cannot be '" + escape(*text, 60) + "': it is ";
  if (choices.size() > 1) message += "one of ";
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) message += i + 1 == choices.size() ? " or " : ", ";
    message += choices[i];
  }
  reading.complain(node.at, message + oci::hint(*text, choices));
  return std::nullopt;
}

Result<YamlNode> parse_document(std::string_view text, std::string_view file_name) {
  auto root = parse_yaml(text, file_name);
  if (!root) return root;
  if (root->kind != YamlNode::Kind::kMap) {
    Reading reading(file_name);
    complain_kind(reading, *root, "the document", "a map");
    return tl::unexpected<Error>(reading.error());
  }
  if (const auto foreign = find_foreign_document(*root)) {
    return fail(Code::kInvalidArgument,
                format_position(file_name, foreign->at) + ": " + foreign->what);
  }
  return root;
}

void check_document(Reading& reading, const Fields& fields, std::string_view kind) {
  constexpr std::string_view kVersion = "ward.dev/v1alpha1";
  if (const YamlNode* version = fields.require("apiVersion"))
    read_choice(reading, *version, "apiVersion", {kVersion});
  if (const YamlNode* given = fields.require("kind")) {
    const auto text = read_text(reading, *given, "kind");
    if (text && *text != kind) {
      reading.complain(given->at, "kind is '" + escape(*text, 60) + "', but a " +
                                      std::string(kind) + " is expected here");
    }
  }
}

void check_notes(Reading& reading, const Fields& metadata) {
  for (const std::string_view key : {"labels", "annotations"}) {
    const YamlNode* notes = metadata.find(key);
    if (notes == nullptr) continue;
    if (notes->kind != YamlNode::Kind::kMap) {
      complain_kind(reading, *notes, "metadata." + std::string(key), "a map of names to texts");
      continue;
    }
    for (const YamlEntry& note : notes->entries) {
      read_text(reading, note.value, "metadata." + std::string(key) + "." + escape(note.key, 60));
    }
  }
}

std::string format_duration(std::chrono::milliseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count());
  if (count == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (count % unit.milliseconds == 0)
      return std::to_string(count / unit.milliseconds) + std::string(unit.suffix);
  }
  return std::to_string(count) + "ms";
}

}  // namespace ward::profiles
