// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <set>

#include "lib/base/escape.h"
#include "lib/oci/capabilities.h"
#include "lib/oci/nearest.h"
#include "lib/oci/seccomp.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/harm_document.h"

namespace ward::profiles {
namespace {

// "CVE-2016-5195"
bool is_cve(std::string_view text) {
  if (text.size() < 13 || text.substr(0, 4) != "CVE-" || text[8] != '-') return false;
  const auto digits = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  return digits(text.substr(4, 4)) && digits(text.substr(9));
}

class HarmReader {
 public:
  explicit HarmReader(std::string_view file_name) : file_name_(file_name), reading_(file_name) {}

  Result<HarmDocument> read(const YamlNode& root) {
    const Fields fields(reading_, root, "the document", {"apiVersion", "kind", "spec"});
    check_document(reading_, fields, "HarmClasses");
    if (const YamlNode* node = fields.require("spec")) read_spec(*node);
    // A half-read file would seem to lack classes.
    if (reading_.ok()) check_complete(root);
    if (!reading_.ok()) return tl::unexpected<Error>(reading_.error());
    return std::move(document_);
  }

 private:
  void read_spec(const YamlNode& node) {
    const Fields fields(reading_, node, "spec",
                        {"through", "newer", "sources", "constants", "hot", "calls"});
    if (const YamlNode* found = fields.require("through")) read_through(*found);
    if (const YamlNode* found = fields.require("newer")) read_newer(*found);
    if (const YamlNode* found = fields.require("sources")) {
      for (const YamlEntry& entry : found->entries) sources_.insert(entry.key);
    }
    if (const YamlNode* found = fields.find("constants")) read_constants(*found);
    if (const YamlNode* found = fields.require("calls")) read_calls(*found);
    if (const YamlNode* found = fields.find("hot")) read_hot(*found);
  }

  void read_through(const YamlNode& node) {
    const Fields fields(reading_, node, "through", {"kernel", "number"});
    if (fields.require("kernel") == nullptr) return;
    if (const YamlNode* found = fields.require("number")) {
      through_ = read_number(reading_, *found, "number").value_or(0);
    }
  }

  void read_newer(const YamlNode& node) {
    for (const YamlEntry& entry : node.entries) {
      const auto number = read_number(reading_, entry.value, "a call's number");
      if (!number) continue;
      const auto known = oci::find_syscall(entry.key);
      if (known && static_cast<std::uint64_t>(*known) != *number) {
        reading_.complain(entry.value.at,
                          "'" + escape(entry.key, 60) + "' is number " + std::to_string(*known));
      }
      newer_[entry.key] = static_cast<std::uint32_t>(*number);
    }
  }

  void read_constants(const YamlNode& node) {
    const auto* items = read_list(reading_, node, "constants");
    if (items == nullptr) return;
    for (const YamlNode& item : *items) {
      const Fields fields(reading_, item, "constants", {"of", "names"});
      const YamlNode* of = fields.require("of");
      const YamlNode* names = fields.require("names");
      if (of == nullptr || names == nullptr) continue;
      for (const YamlNode& place : of->items) {
        for (const YamlEntry& entry : names->entries) read_constant(place, entry);
      }
    }
  }

  void read_constant(const YamlNode& place, const YamlEntry& entry) {
    const auto value = read_number(reading_, entry.value, "the value of a name");
    const std::size_t dot = place.scalar.rfind('.');
    if (!value || dot == std::string::npos || dot + 2 != place.scalar.size()) {
      if (value)
        reading_.complain(place.at,
                          "write the call and the number of its argument, such as mmap.3");
      return;
    }
    const auto elsewhere = filter::parse_argument_value(
        place.scalar.substr(0, dot), static_cast<std::uint32_t>(place.scalar[dot + 1] - '0'),
        entry.key);
    const bool again = !document_.constants[place.scalar].emplace(entry.key, *value).second;
    if (again || (elsewhere && *elsewhere != *value))
      reading_.complain(entry.at, "'" + escape(entry.key, 60) + "' has another value already");
  }

  void read_calls(const YamlNode& node) {
    const auto* items = read_list(reading_, node, "calls");
    if (items == nullptr) return;
    for (const YamlNode& item : *items) {
      const Fields fields(reading_, item, "a row",
                          {"calls", "class", "why", "opens", "cves", "gate", "docker", "systemd",
                           "sources", "values"});
      const YamlNode* names = fields.require("calls");
      HarmDocument::Row row;
      row.harm = read_class(fields);
      row.reason = read_reason(fields);
      if (names == nullptr) continue;
      const std::vector<std::string> calls = read_names(*names);
      if (row.reason.docker.empty())
        reading_.complain(item.at, "a row needs 'docker': what Docker's default does");
      check_hole(item, row.harm, row.reason);
      if (const YamlNode* values = fields.find("values")) read_values(*values, calls, row);
      document_.rows.push_back(std::move(row));
    }
  }

  void read_hot(const YamlNode& node) {
    const auto* items = read_list(reading_, node, "hot");
    if (items == nullptr) return;
    for (const YamlNode& item : *items) {
      const auto name = read_text(reading_, item, "a hot call");
      if (!name) continue;
      const auto found = document_.calls.find(*name);
      if (found == document_.calls.end()) {
        reading_.complain(
            item.at, "'" + escape(*name, 60) + "' has no class" + oci::hint_for_syscall(*name));
        continue;
      }
      if (found->second.hot)
        reading_.complain(item.at, "'" + escape(*name, 60) + "' stands here twice");
      if (!has_held(document_.rows[found->second.row]))
        reading_.complain(item.at, "'" + escape(*name, 60) +
                                       "' has nothing of class held: hot says where held calls "
                                       "are allowed instead of being asked for");
      found->second.hot = true;
    }
  }

  static bool has_held(const HarmDocument::Row& row) {
    return row.harm == HarmClass::kHeld ||
           std::any_of(row.values.begin(), row.values.end(), [](const HarmDocument::Value& value) {
             return value.harm == HarmClass::kHeld;
           });
  }

  std::vector<std::string> read_names(const YamlNode& node) {
    std::vector<std::string> names;
    const auto* items = read_list(reading_, node, "calls");
    if (items == nullptr) return names;
    if (items->empty()) reading_.complain(node.at, "name a call at least");
    for (const YamlNode& item : *items) {
      const auto name = read_text(reading_, item, "a call");
      const auto number = name ? number_of(*name) : std::nullopt;
      if (!name) continue;
      if (!number) {
        reading_.complain(item.at, "unknown call '" + escape(*name, 60) + "'" +
                                       oci::hint_for_syscall(*name) +
                                       "; one that libseccomp does not know "
                                       "belongs under newer, with its number");
        continue;
      }
      const auto [before, fresh] = lines_.emplace(*name, item.at);
      if (!fresh) {
        reading_.complain(item.at, "'" + escape(*name, 60) + "' has a class already, at " +
                                       format_position(file_name_, before->second) +
                                       ": a call has one class");
        continue;
      }
      document_.calls[*name] = {*number, document_.rows.size()};
      names.push_back(*name);
    }
    return names;
  }

  [[nodiscard]] std::optional<std::uint32_t> number_of(const std::string& name) const {
    if (const auto found = newer_.find(name); found != newer_.end()) return found->second;
    if (const auto known = oci::find_syscall(name)) return static_cast<std::uint32_t>(*known);
    return std::nullopt;
  }

  HarmClass read_class(const Fields& fields) {
    const YamlNode* node = fields.require("class");
    const auto choice =
        node != nullptr ? read_choice(reading_, *node, "class", harm_class_names()) : std::nullopt;
    return choice ? static_cast<HarmClass>(*choice) : HarmClass::kReach;
  }

  HarmDocument::Reason read_reason(const Fields& fields) {
    HarmDocument::Reason reason;
    const auto text = [&](std::string_view key, std::string& out) {
      if (const YamlNode* node = fields.find(key))
        out = read_text(reading_, *node, key).value_or("");
    };
    constexpr std::size_t kShortest = 4;  // "waits"
    if (const YamlNode* node = fields.require("why")) {
      reason.why = read_text(reading_, *node, "why").value_or("");
      if (reason.why.size() < kShortest) reading_.complain(node->at, "why needs a reason in words");
    }
    text("opens", reason.opens);
    text("gate", reason.gate);
    text("systemd", reason.systemd);
    if (const YamlNode* node = fields.find("docker")) reason.docker = read_docker(*node);
    if (const YamlNode* node = fields.find("cves")) {
      reason.cves = read_words(
          *node, "cves", [](const std::string& word) { return is_cve(word); }, "a CVE's number");
    }
    if (const YamlNode* node = fields.find("sources")) {
      reason.sources = read_words(
          *node, "sources", [&](const std::string& word) { return sources_.contains(word); },
          "listed under sources");
    }
    return reason;
  }

  template <typename Accepts>
  std::vector<std::string> read_words(const YamlNode& node, std::string_view what, Accepts accepts,
                                      std::string_view expected) {
    std::vector<std::string> words;
    const auto* items = read_list(reading_, node, what);
    if (items == nullptr) return words;
    for (const YamlNode& item : *items) {
      const auto word = read_text(reading_, item, what);
      if (!word) continue;
      if (!accepts(*word))
        reading_.complain(item.at, "'" + escape(*word, 60) + "' is not " + std::string(expected));
      words.push_back(*word);
    }
    return words;
  }

  std::string read_docker(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::kScalar && !node.scalar.starts_with("CAP_")) {
      const std::vector<std::string_view> words = {"allow", "deny", "values"};
      return std::string(words[read_choice(reading_, node, "docker", words).value_or(0)]);
    }
    const YamlNode list{YamlNode::Kind::kSequence, node.at, {}, false, {node}, {}};
    std::string text;
    for (const std::string& name : read_words(
             node.kind == YamlNode::Kind::kScalar ? list : node, "docker",
             [](const std::string& word) { return oci::find_capability(word).has_value(); },
             "a capability")) {
      text += (text.empty() ? "" : " or ") + name;
    }
    return text;
  }

  void read_values(const YamlNode& node, const std::vector<std::string>& calls,
                   HarmDocument::Row& row) {
    const auto* items = read_list(reading_, node, "values");
    if (items == nullptr) return;
    if (row.harm < HarmClass::kReach)
      reading_.complain(
          node.at,
          "a call with values is reach or danger itself: what no value names is new reach");
    for (const YamlNode& item : *items) {
      const Fields fields(reading_, item, "a value",
                          {"args", "class", "why", "opens", "cves", "gate", "docker", "sources"});
      const YamlNode* args = fields.require("args");
      if (args == nullptr || calls.empty()) continue;
      HarmDocument::Value value =
          read_harm_conditions(reading_, *args, calls.front(), document_.constants);
      value.at = item.at;
      value.harm = read_class(fields);
      value.reason = read_reason(fields);
      if (value.reason.docker.empty()) value.reason.docker = row.reason.docker;
      check_hole(item, value.harm, value.reason);
      check_value(value, row);
      row.values.push_back(std::move(value));
    }
  }

  void check_value(const HarmDocument::Value& value, const HarmDocument::Row& row) {
    const bool any = std::any_of(value.conditions.begin(), value.conditions.end(),
                                 [](const auto& c) { return c.any; });
    if (any && value.harm < HarmClass::kReach)
      reading_.complain(value.at,
                        "any is for reach and danger: what makes a call milder is named in full");
    for (const HarmDocument::Value& other : row.values) {
      if (other.conditions == value.conditions) {
        reading_.complain(value.at, "these arguments stand here twice: a value has one class");
      } else if (other.harm != value.harm && overlap(other, value)) {
        reading_.complain(value.at,
                          "a call that this describes has two classes: see the value at " +
                              format_position(file_name_, other.at));
      }
    }
  }

  void check_hole(const YamlNode& at, HarmClass harm, const HarmDocument::Reason& reason) {
    if (!reason.cves.empty() && reason.opens.empty())
      reading_.complain(at.at, "it has CVEs: say under opens what it opens");
    if (!reason.opens.empty() && harm < HarmClass::kReach && reason.sources.empty())
      reading_.complain(at.at, "it names a hole below reach: name the sources");
    if (harm < HarmClass::kReach && reason.docker != "allow") {
      reading_.complain(
          at.at, "it is " + std::string(harm_class_name(harm)) +
                     ", but Docker's default does not allow it to every container: make it reach");
    }
  }

  void check_complete(const YamlNode& root) {
    const auto demand = [&](const std::string& name, std::uint64_t number) {
      if (number <= through_ && !document_.calls.contains(name))
        reading_.complain(root.at,
                          "'" + name + "', number " + std::to_string(number) + ", has no class");
    };
    for (const auto& [name, number] : oci::known_syscalls())
      demand(name, static_cast<std::uint64_t>(number));
    for (const auto& [name, number] : newer_) demand(name, number);
  }

  std::string file_name_;
  Reading reading_;
  HarmDocument document_;
  std::uint64_t through_ = 0;
  std::map<std::string, std::uint32_t> newer_;
  std::set<std::string, std::less<>> sources_;
  std::map<std::string, Position> lines_;
};

}  // namespace

Result<HarmDocument> read_harm_classes(std::string_view text, std::string_view file_name) {
  const auto root = parse_yaml(text, file_name);
  if (!root) return tl::unexpected<Error>(root.error());
  return HarmReader(file_name).read(*root);
}

}  // namespace ward::profiles
