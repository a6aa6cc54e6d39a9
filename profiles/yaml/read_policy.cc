// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>

#include "lib/base/escape.h"
#include "profiles/validate.h"
#include "profiles/words.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

// Only '*' is a pattern. A character that no such name has means a pattern of another language, or
// a slip; the rule would never match, and what it was to govern would run free.
struct NameList {
  std::string_view key;
  std::string_view characters;  // of the names, beside letters and digits
  bool upper_case;
  std::string_view names;  // for people
};
constexpr std::array<NameList, 5> kNameLists = {{
    {"containerdNamespaces", "._-", true, "a containerd namespace"},
    {"kubernetesNamespaces", "-", false, "a namespace of Kubernetes"},
    {"pods", ".-", false, "a pod"},
    {"containers", "._-", true, "a container"},
    {"images", "._-/:@", true, "an image"},
}};

std::string describe_dead_pattern(const NameList& list, std::string_view pattern) {
  for (const char c : pattern) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && list.upper_case) || c == '*';
    if (plain || list.characters.find(c) != std::string_view::npos) continue;
    std::string hint = "only '*' stands for other text, any run of characters";
    if (c == '!')
      hint = "a pattern cannot exclude: put a rule with mode: \"off\" for those before this one";
    if (c == '|' || c == '(' || c == '{' || c == ',')
      hint = "write the alternatives as several entries of the list";
    if (c == '?' || c == '[' || c == '+' || c == '^' || c == '$' || c == '\\')
      hint = "this is no regular expression: only '*' stands for other text, any run of characters";
    if (upper) hint = "such names are in lower case";
    return "'" + escape(pattern, 80) + "' never matches, because the name of " +
           std::string(list.names) + " has no '" + escape({&c, 1}) + "': " + hint;
  }
  return "";
}

void read_globs(Reading& reading, const Fields& fields, std::string_view key,
                std::vector<std::string>& out) {
  const YamlNode* node = fields.find(key);
  if (node == nullptr) return;
  const auto* items = read_list(reading, *node, key);
  if (items == nullptr) return;
  if (items->empty())
    reading.complain(node->at, std::string(key) + " is empty: remove it to match everything");
  for (const YamlNode& item : *items) {
    const auto text = read_text(reading, item, "an entry of " + std::string(key));
    if (text && text->empty())
      reading.complain(item.at, "an empty pattern matches nothing: use '*' for everything");
    if (!text) continue;
    const auto* const list = std::find_if(kNameLists.begin(), kNameLists.end(),
                                          [&](const NameList& one) { return one.key == key; });
    if (const std::string dead = describe_dead_pattern(*list, *text); !dead.empty())
      reading.complain(item.at, dead);
    out.push_back(*text);
  }
}

void read_flag(Reading& reading, const Fields& fields, std::string_view key, bool& out) {
  if (const YamlNode* node = fields.find(key)) out = read_bool(reading, *node, key).value_or(out);
}

Selector read_selector(Reading& reading, const YamlNode& node) {
  const Fields fields(reading, node, "match", sections::kMatch.keys);
  Selector selector;
  read_globs(reading, fields, "containerdNamespaces", selector.containerd_namespaces);
  read_globs(reading, fields, "kubernetesNamespaces", selector.kubernetes_namespaces);
  read_globs(reading, fields, "pods", selector.pods);
  read_globs(reading, fields, "containers", selector.containers);
  read_globs(reading, fields, "images", selector.images);
  read_flag(reading, fields, "includeSandboxes", selector.include_sandboxes);
  read_flag(reading, fields, "includePrivileged", selector.include_privileged);
  read_flag(reading, fields, "includeKubeSystem", selector.include_kube_system);
  return selector;
}

std::optional<Action> read_action(Reading& reading, const Fields& on_violation,
                                  std::string_view who) {
  const YamlNode* node = on_violation.find(who);
  if (node == nullptr) return std::nullopt;
  const Fields fields(reading, *node, "onViolation." + std::string(who),
                      sections::kRuleReaction.keys);
  const YamlNode* action = fields.require("action");
  if (action == nullptr) return std::nullopt;
  const auto choice = read_choice(reading, *action, "action", action_names());
  if (!choice) return std::nullopt;
  return filter::action_at(*choice);
}

std::optional<std::uint32_t> read_small(Reading& reading, const YamlNode& node,
                                        std::string_view what, std::uint32_t most) {
  const auto number = read_number(reading, node, what);
  if (!number) return std::nullopt;
  if (*number > most)
    reading.complain(node.at, std::string(what) + " is at most " + std::to_string(most));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(*number, most));
}

EnforceAfter read_enforce_after(Reading& reading, const YamlNode& node) {
  constexpr std::uint32_t kMostRuns = 10'000, kAll = 100;
  const Fields fields(reading, node, "enforceAfter", sections::kEnforceAfter.keys);
  EnforceAfter out;
  if (const YamlNode* runs = fields.find("runs"))
    out.runs = read_small(reading, *runs, "runs", kMostRuns).value_or(0);
  if (const YamlNode* recorded = fields.find("recorded")) {
    if (const auto length = read_duration(reading, *recorded, "recorded"))
      out.recorded = std::chrono::ceil<std::chrono::seconds>(*length);
  }
  if (const YamlNode* share = fields.find("newInARunAtMost"))
    out.new_in_a_run_at_most = read_small(reading, *share, "newInARunAtMost (a percentage)", kAll);
  return out;
}

StormGuard read_storm_guard(Reading& reading, const YamlNode& node) {
  constexpr std::uint32_t kMost = 10'000;
  const Fields fields(reading, node, "stormGuard", sections::kStormGuard.keys);
  StormGuard out;
  const auto read_count = [&](std::string_view key, std::uint32_t& count) {
    const YamlNode* number = fields.find(key);
    if (number == nullptr) return;
    count = read_small(reading, *number, key, kMost).value_or(1);
    if (count == 0) reading.complain(number->at, std::string(key) + " is at least 1");
  };
  read_count("after", out.after);
  read_count("pods", out.pods);
  if (const YamlNode* within = fields.find("within")) {
    if (const auto length = read_duration(reading, *within, "within"))
      out.within = std::chrono::ceil<std::chrono::seconds>(*length);
    if (out.within.count() < 1) reading.complain(within->at, "within is at least 1s");
  }
  if (const YamlNode* then = fields.find("then")) {
    if (const auto choice = read_choice(reading, *then, "then", action_names()))
      out.then = filter::action_at(*choice);
    if (out.then == Action::kLog)
      reading.complain(then->at,
                       "a storm guard denies at least: nothing that an attacker brings "
                       "about may let calls run");
  }
  return out;
}

// `amend: auto`, or a map that says `auto: true` and how much is asked for. `auto: false` is as if
// it were not there, so that a person can switch it off where the figures stand.
std::optional<Amend> read_amend(Reading& reading, const YamlNode& node) {
  constexpr std::uint32_t kMostContainers = 32;  // kMostAmendSources
  Amend out;
  if (node.kind != YamlNode::Kind::kMap) {
    static const std::vector<std::string_view> kWords = {"auto"};
    if (!read_choice(reading, node, "amend", kWords)) return std::nullopt;
    return out;
  }
  const Fields fields(reading, node, "amend", sections::kAmend.keys);
  const YamlNode* automatic = fields.require("auto");
  const bool on = automatic != nullptr && read_bool(reading, *automatic, "auto").value_or(false);
  if (const YamlNode* containers = fields.find("containers"))
    out.containers =
        read_small(reading, *containers, "containers", kMostContainers).value_or(out.containers);
  if (const YamlNode* over = fields.find("over")) {
    if (const auto length = read_duration(reading, *over, "over"))
      out.over = std::chrono::ceil<std::chrono::seconds>(*length);
  }
  return on ? std::optional(out) : std::nullopt;
}

PolicyRule read_rule(Reading& reading, const YamlNode& node, const std::string& subject,
                     std::map<std::string, Position>& positions) {
  const Fields fields(reading, node, "a rule", sections::kRule.keys);
  positions[subject] = node.at;
  PolicyRule rule;
  if (const YamlNode* match = fields.find("match")) rule.selector = read_selector(reading, *match);
  if (const YamlNode* mode = fields.require("mode")) {
    if (const auto choice = read_choice(reading, *mode, "mode", mode_names()))
      rule.mode = filter::mode_at(*choice);
  }
  if (const YamlNode* profile = fields.find("profile")) {
    positions[subject + ".profile"] = profile->at;
    rule.profile = read_text(reading, *profile, "profile").value_or("");
  }
  if (const YamlNode* workload = fields.find("workload")) {
    positions[subject + ".workload"] = workload->at;
    rule.workload = read_text(reading, *workload, "workload").value_or("");
  }
  if (const YamlNode* missing = fields.find("missing")) {
    if (const auto choice = read_choice(reading, *missing, "missing", missing_names())) {
      rule.missing = static_cast<Missing>(*choice);
    }
  }
  if (const YamlNode* gate = fields.find("enforceAfter")) {
    positions[subject + ".enforceAfter"] = gate->at;
    rule.enforce_after = read_enforce_after(reading, *gate);
  }
  if (const YamlNode* guard = fields.find("stormGuard")) {
    positions[subject + ".stormGuard"] = guard->at;
    rule.storm_guard = read_storm_guard(reading, *guard);
  }
  if (const YamlNode* amend = fields.find("amend")) {
    positions[subject + ".amend"] = amend->at;
    rule.amend = read_amend(reading, *amend);
  }
  if (const YamlNode* sessions = fields.find("exec")) {
    positions[subject + ".exec"] = sessions->at;
    if (const auto choice = read_choice(reading, *sessions, "exec", sessions_names()))
      rule.sessions = filter::sessions_at(*choice);
  }
  if (const YamlNode* on_violation = fields.find("onViolation")) {
    const Fields reactions(reading, *on_violation, "onViolation", sections::kReactions.keys);
    if (const YamlNode* refused = reactions.find("refused")) {
      const auto choice = read_choice(reading, *refused, "onViolation.refused", refused_names());
      if (choice) rule.on_refused = static_cast<Refused>(*choice);
    }
    rule.on_workload = read_action(reading, reactions, "workload");
    rule.on_exec = read_action(reading, reactions, "exec");
  }
  return rule;
}

Result<Policy> read(std::string_view text, std::string_view file_name,
                    std::map<std::string, Position>& positions) {
  const auto root = parse_document(text, file_name);
  if (!root) return tl::unexpected<Error>(root.error());
  Reading reading(file_name, &policy_sections());
  Policy policy;
  positions = {{"metadata.name", root->at}, {"rules", root->at}};
  const Fields fields(reading, *root, "the document", sections::kPolicy.keys);
  check_document(reading, fields, "Policy");
  if (const YamlNode* metadata = fields.require("metadata")) {
    const Fields inner(reading, *metadata, "metadata", sections::kMetadata.keys);
    check_notes(reading, inner);
    if (const YamlNode* name = inner.require("name")) {
      positions["metadata.name"] = name->at;
      policy.name = read_text(reading, *name, "name").value_or("");
    }
  }
  if (const YamlNode* spec = fields.require("spec")) {
    const Fields inner(reading, *spec, "spec", sections::kPolicySpec.keys);
    const YamlNode* rules = inner.require("rules");
    const auto* items = rules == nullptr ? nullptr : read_list(reading, *rules, "rules");
    if (items != nullptr) {
      positions["rules"] = rules->at;
      for (std::size_t i = 0; i < items->size(); ++i) {
        policy.rules.push_back(
            read_rule(reading, (*items)[i], "rules." + std::to_string(i), positions));
        policy.rules.back().place = {std::string(file_name),
                                     static_cast<std::uint32_t>((*items)[i].at.line)};
      }
    }
  }
  if (!reading.ok()) return tl::unexpected<Error>(reading.error());
  for (const Finding& finding : validate(policy)) {
    if (finding.severity == Finding::Severity::kError)
      reading.complain(positions[finding.subject], finding.message);
  }
  if (!reading.ok()) return tl::unexpected<Error>(reading.error());
  return policy;
}

}  // namespace

Result<Policy> read_policy(std::string_view text, std::string_view file_name) {
  std::map<std::string, Position> positions;
  return read(text, file_name, positions);
}

std::map<std::string, Position> policy_places(std::string_view text) {
  std::map<std::string, Position> positions;
  if (!read(text, "", positions)) return {};
  return positions;
}

}  // namespace ward::profiles
