// SPDX-License-Identifier: Apache-2.0
// The conditions of classes.yaml. Names become numbers here, and the words that were used become
// the text for people: a number alone would not say which option of which level is meant.
#include <algorithm>
#include <optional>

#include "lib/base/escape.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/harm_document.h"

namespace ward::profiles {
namespace {

using Condition = HarmDocument::Condition;

std::string join(const std::vector<std::string>& words, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
    text += words[i];
  }
  return text;
}

class ConditionReader {
 public:
  ConditionReader(Reading& reading, std::string_view call, const HarmConstants& constants,
                  std::uint32_t index)
      : reading_(reading), call_(call), constants_(constants) {
    condition_.index = index;
  }

  Condition read(const YamlNode& node) {
    at_ = node.at;
    if (node.kind == YamlNode::Kind::kSequence) {
      read_equals(read_words(node));
    } else {
      const Fields fields(reading_, node, "an argument",
                          {"oneOf", "ignoring", "with", "without", "only", "any", "own"});
      read_forms(fields);
    }
    return condition_;
  }

  [[nodiscard]] std::string shown() const {
    return "argument " + std::to_string(condition_.index) + " " + shown_;
  }

 private:
  struct Words {
    std::vector<std::string> names;
    std::vector<std::uint64_t> values;
    [[nodiscard]] std::uint64_t bits() const {
      std::uint64_t all = 0;
      for (const std::uint64_t value : values) all |= value;
      return all;
    }
  };

  Words read_words(const YamlNode& node) {
    Words words;
    const auto* items = read_list(reading_, node, "values");
    if (items == nullptr) return words;
    if (items->empty()) reading_.complain(node.at, "name a value at least");
    for (const YamlNode& item : *items) {
      const auto text = read_text(reading_, item, "a value");
      if (!text) continue;
      const auto value = find_value(item, *text);
      if (!value) continue;
      words.names.push_back(*text);
      words.values.push_back(*value);
    }
    return words;
  }

  std::optional<std::uint64_t> find_value(const YamlNode& node, const std::string& word) {
    const auto names = constants_.find(std::string(call_) + "." + std::to_string(condition_.index));
    if (names != constants_.end()) {
      if (const auto found = names->second.find(word); found != names->second.end())
        return found->second;
    }
    const auto value = filter::parse_argument_value(call_, condition_.index, word);
    if (value) return *value;
    reading_.complain(node.at, value.error().message);
    return std::nullopt;
  }

  void read_forms(const Fields& fields) {
    const YamlNode* one_of = fields.find("oneOf");
    const YamlNode* ignoring = fields.find("ignoring");
    const YamlNode* any = fields.find("any");
    const YamlNode* own = fields.find("own");
    const bool bits = fields.find("with") != nullptr || fields.find("without") != nullptr ||
                      fields.find("only") != nullptr;
    if (own != nullptr) condition_.own = read_bool(reading_, *own, "own").value_or(false);
    const int forms = static_cast<int>(bits) + static_cast<int>(any != nullptr) +
                      static_cast<int>(one_of != nullptr || own != nullptr);
    if (forms != 1 || (ignoring != nullptr && one_of == nullptr) ||
        (own != nullptr && !condition_.own)) {
      reading_.complain(fields.node().at,
                        "an argument has one form: oneOf (with ignoring or own: true), own: true "
                        "alone, any alone, or "
                        "with, without and only");
      return;
    }
    if (one_of != nullptr) read_equals(read_words(*one_of));
    if (ignoring != nullptr) {
      const Words flags = read_words(*ignoring);
      condition_.mask = ~flags.bits();
      shown_ += ", whatever its " + join(flags.names, "and");
      if ((Words{{}, condition_.values}.bits() & ~condition_.mask) != 0)
        reading_.complain(ignoring->at,
                          "a value of oneOf has a bit that is ignored: it can never be equal");
    }
    if (condition_.own)
      shown_ += std::string(one_of != nullptr ? " or" : "is") + " the caller's own number";
    if (bits) read_bits(fields);
    if (any != nullptr) {
      const Words flags = read_words(*any);
      condition_.mask = flags.bits();
      condition_.any = true;
      shown_ = "has " + join(flags.names, "or");
    }
  }

  // C libraries differ in how they pass an int with its highest bit set: as it is (glibc), or as a
  // negative long (musl).
  void read_equals(const Words& words) {
    for (const std::uint64_t value : words.values) {
      condition_.values.push_back(value);
      if (value >> 31U == 1) condition_.values.push_back(value | 0xFFFFFFFF00000000ULL);
    }
    std::sort(condition_.values.begin(), condition_.values.end());
    if (std::adjacent_find(condition_.values.begin(), condition_.values.end()) !=
        condition_.values.end())
      reading_.complain(at_, "a value is named twice");
    shown_ = "is " + join(words.names, "or");
  }

  void read_bits(const Fields& fields) {
    Words with, without, only;
    if (const YamlNode* node = fields.find("with")) with = read_words(*node);
    if (const YamlNode* node = fields.find("without")) without = read_words(*node);
    const YamlNode* limit = fields.find("only");
    if (limit != nullptr) only = read_words(*limit);
    if ((with.bits() & without.bits()) != 0)
      reading_.complain(fields.node().at, "a bit stands under with and under without");
    if (limit != nullptr && (with.bits() & ~only.bits()) != 0)
      reading_.complain(limit->at, "only must name what with names, too");
    condition_.mask = with.bits() | without.bits() | (limit != nullptr ? ~only.bits() : 0);
    condition_.values = {with.bits()};
    std::vector<std::string> parts;
    if (!with.names.empty()) parts.push_back("has " + join(with.names, "and"));
    if (!without.names.empty()) parts.push_back("lacks " + join(without.names, "and"));
    if (limit != nullptr) parts.push_back("has nothing but " + join(only.names, "and"));
    shown_ = join(parts, "and");
  }

  Reading& reading_;
  std::string_view call_;
  const HarmConstants& constants_;
  Position at_;
  Condition condition_;
  std::string shown_;
};

bool meet(const Condition& a, const Condition& b) {
  if (a.any && b.any) return true;
  if (a.own && b.own) return true;
  if (b.any) return meet(b, a);
  if (a.any) {
    return (a.mask & ~b.mask) != 0 ||
           std::any_of(b.values.begin(), b.values.end(),
                       [&](std::uint64_t value) { return (value & a.mask) != 0; });
  }
  return std::any_of(a.values.begin(), a.values.end(), [&](std::uint64_t x) {
    return std::any_of(b.values.begin(), b.values.end(),
                       [&](std::uint64_t y) { return ((x ^ y) & a.mask & b.mask) == 0; });
  });
}

}  // namespace

HarmDocument::Value read_harm_conditions(Reading& reading, const YamlNode& args,
                                         std::string_view call, const HarmConstants& constants) {
  HarmDocument::Value value;
  if (args.kind != YamlNode::Kind::kMap || args.entries.empty()) {
    reading.complain(args.at, "args is a map of arguments, such as {0: [AF_UNIX]}");
    return value;
  }
  std::map<std::uint32_t, std::string> shown;
  for (const YamlEntry& entry : args.entries) {
    if (entry.key.size() != 1 || entry.key[0] < '0' || entry.key[0] > '5') {
      reading.complain(entry.at, "'" + escape(entry.key, 60) + "' is no argument: they are 0 to 5");
      continue;
    }
    const auto index = static_cast<std::uint32_t>(entry.key[0] - '0');
    ConditionReader reader(reading, call, constants, index);
    value.conditions.push_back(reader.read(entry.value));
    shown[index] = reader.shown();
  }
  std::sort(value.conditions.begin(), value.conditions.end(),
            [](const Condition& a, const Condition& b) { return a.index < b.index; });
  for (const auto& [index, text] : shown) value.shown += (value.shown.empty() ? "" : "; ") + text;
  return value;
}

bool overlap(const HarmDocument::Value& a, const HarmDocument::Value& b) {
  for (const Condition& x : a.conditions) {
    for (const Condition& y : b.conditions) {
      if (x.index == y.index && !meet(x, y)) return false;
    }
  }
  return true;
}

}  // namespace ward::profiles
