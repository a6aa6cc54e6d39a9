// SPDX-License-Identifier: Apache-2.0
// Written by hand instead of with yaml-cpp's emitter, which cannot group a flow list by initial
// letter.
#include "profiles/yaml/write_yaml.h"

#include <algorithm>

#include "lib/base/escape.h"
#include "profiles/argument_choices.h"
#include "profiles/filter/constants.h"
#include "profiles/words.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

constexpr std::size_t kColumns = 100;

// Words that YAML reads as something else than a text, and everything with a character that could
// mean something, are quoted.
bool is_plain(std::string_view text) {
  static constexpr std::string_view kReserved[] = {"true", "false", "null", "yes",  "no",   "on",
                                                   "off",  "y",     "n",    "Null", "NULL", "~"};
  if (text.empty() || text.front() == '-' || text.front() == '.') return false;
  if (std::find(std::begin(kReserved), std::end(kReserved), text) != std::end(kReserved))
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/' || c == '|';
  });
}

std::string quote(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': quoted += "\\\""; break;
      case '\\': quoted += "\\\\"; break;
      case '\n': quoted += "\\n"; break;
      case '\t': quoted += "\\t"; break;
      case '\r': quoted += "\\r"; break;
      default:
        quoted +=
            static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? escape({&c, 1}) : std::string(1, c);
    }
  }
  return quoted + "\"";
}

std::string flow(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const std::string& word : words) text += (text.size() > 1 ? ", " : "") + quote(word);
  return text + "]";
}

std::string format_filters(std::string_view syscall, const ArgFilters& args) {
  const std::string_view words = vocabulary_of(syscall, args);
  std::string text = "[";
  for (const ArgFilter& filter : args) {
    if (text.size() > 1) text += ", ";
    text += "{index: " + std::to_string(filter.index);
    if (filter.mask) text += ", mask: " + filter::format_hex(*filter.mask);
    const bool excludes = !filter.none_of.empty();
    const std::vector<std::uint64_t>& values = excludes ? filter.none_of : filter.one_of;
    text += excludes ? ", noneOf: [" : ", oneOf: [";
    for (std::size_t i = 0; i < values.size(); ++i) {
      text += (i > 0 ? ", " : "") + filter::format_argument_value(words, filter.index, values[i]);
    }
    text += "]}";
  }
  return text + "]";
}

// Names first, one line for each initial letter, then the filtered calls, one a line.
std::string format_entries(const SyscallSet& entries, const std::string& indent) {
  std::vector<std::string> lines;
  std::string line;
  for (const auto& [name, entry] : entries) {
    if (!entry.args.empty()) continue;
    if (!line.empty() && (line.front() != name.front() ||
                          indent.size() + line.size() + name.size() + 3 > kColumns)) {
      lines.push_back(line);
      line.clear();
    }
    line += (line.empty() ? "" : ", ") + name;
  }
  if (!line.empty()) lines.push_back(line);
  for (const auto& [name, entry] : entries) {
    if (entry.args.empty()) continue;
    for (const ArgFilters& args : alternatives_of(entry)) lines.push_back(format_entry(name, args));
  }
  if (lines.empty()) return " []\n";
  std::string text = " [\n";
  for (std::size_t i = 0; i < lines.size(); ++i)
    text += indent + lines[i] + (i + 1 < lines.size() ? ",\n" : "]\n");
  return text;
}

std::string format_reaction(const Reaction& reaction) {
  std::string text = "{action: " + std::string(action_name(reaction.action));
  if (reaction.escalate_to) {
    text += ", escalate: {to: " + std::string(action_name(*reaction.escalate_to)) +
            ", after: " + std::to_string(reaction.escalate_after) +
            ", within: " + format_duration(reaction.escalate_window) + "}";
  }
  return text + "}";
}

std::string format_spec(const Profile& profile) {
  std::string text = "spec:\n";
  if (!profile.extends.empty()) text += "  extends: " + flow(profile.extends) + "\n";
  text += "  architectures: " + flow(profile.architectures) + "\n";
  if (profile.knows) {
    text += "  knows: {number: " + std::to_string(profile.knows->number) +
            ", name: " + quote(profile.knows->name) + "}\n";
  }
  text +=
      std::string("  noNewPrivileges: ") + (profile.no_new_privileges ? "true" : "false") + "\n";
  // As with `refused` below.
  if (profile.posture != Posture::kStrict)
    text += "  posture: " + std::string(posture_name(profile.posture)) + "\n";
  if (profile.rehearsal) text += "  rehearsal: true\n";
  text += "  boundary: {quiet: " + format_duration(profile.boundary.quiet) +
          ", latest: " + format_duration(profile.boundary.latest) + "}\n";
  text += "  syscalls:";
  std::string layers;
  for (const Layer layer : {Layer::kServing, Layer::kBoot, Layer::kExec}) {
    const auto found = profile.syscalls.find(layer);
    if (found == profile.syscalls.end() || found->second.empty()) continue;
    layers +=
        "    " + std::string(layer_name(layer)) + ":" + format_entries(found->second, "      ");
  }
  text += layers.empty() ? " {}\n" : "\n" + layers;
  if (!profile.accept.empty()) {
    text += "  accept:\n";
    for (const Accept& accept : profile.accept) text += "    - " + format_accept(accept) + "\n";
  }
  text += "  capabilities: " + flow(profile.capabilities) + "\n";
  if (!profile.refused.empty()) text += "  refused:" + format_entries(profile.refused, "    ");
  text += "  onViolation:\n";
  text += "    workload: " + format_reaction(profile.on_workload) + "\n";
  text += "    exec: " + format_reaction(profile.on_exec) + "\n";
  // The default is not written: profiles from before it existed keep their identity.
  if (profile.on_refused != Refused::kLog)
    text += "    refused: " + std::string(refused_name(profile.on_refused)) + "\n";
  return text;
}

std::string format_comment(std::string_view header) {
  std::string text;
  while (!header.empty()) {
    const std::size_t end = std::min(header.find('\n'), header.size());
    text += "# " + std::string(header.substr(0, end)) + "\n";
    header.remove_prefix(std::min(end + 1, header.size()));
  }
  return text;
}

std::string format_match(const Selector& selector) {
  std::vector<std::string> fields;
  const auto globs = [&](std::string_view key, const std::vector<std::string>& list) {
    if (!list.empty()) fields.push_back(std::string(key) + ": " + flow(list));
  };
  globs("containerdNamespaces", selector.containerd_namespaces);
  globs("kubernetesNamespaces", selector.kubernetes_namespaces);
  globs("pods", selector.pods);
  globs("containers", selector.containers);
  globs("images", selector.images);
  if (selector.include_sandboxes) fields.emplace_back("includeSandboxes: true");
  if (selector.include_privileged) fields.emplace_back("includePrivileged: true");
  if (selector.include_kube_system) fields.emplace_back("includeKubeSystem: true");
  std::string text = "{";
  for (const std::string& field : fields) text += (text.size() > 1 ? ", " : "") + field;
  return text + "}";
}

std::string format_gate(const EnforceAfter& gate) {
  std::string items;
  const auto add = [&items](std::string_view key, const std::string& value) {
    items += (items.empty() ? "" : ", ") + std::string(key) + ": " + value;
  };
  if (gate.runs > 0) add("runs", std::to_string(gate.runs));
  if (gate.recorded.count() > 0) add("recorded", format_duration(gate.recorded));
  if (gate.new_in_a_run_at_most) add("newInARunAtMost", std::to_string(*gate.new_in_a_run_at_most));
  return "      enforceAfter: {" + items + "}\n";
}

std::string format_storm_guard(const StormGuard& guard) {
  return "      stormGuard: {after: " + std::to_string(guard.after) +
         ", within: " + format_duration(guard.within) + ", pods: " + std::to_string(guard.pods) +
         ", then: " + std::string(action_name(guard.then)) + "}\n";
}

}  // namespace

std::string format_entry(std::string_view name, const ArgFilters& args) {
  return "{name: " + std::string(name) +
         (args.empty() ? "" : ", args: " + format_filters(name, args)) + "}";
}

std::string format_accept(const Accept& accept) {
  std::string text = !accept.bundle.empty()       ? "{bundle: " + quote(accept.bundle)
                     : !accept.capability.empty() ? "{capability: " + quote(accept.capability)
                                                  : "{syscall: " + quote(accept.syscall);
  text += ", reason: " + quote(accept.reason);
  if (!accept.args.empty()) text += ", args: " + format_filters(accept.syscall, accept.args);
  return text + "}";
}

std::string write_yaml(const Profile& profile, std::string_view header) {
  std::string text = format_comment(header);
  text += "apiVersion: ward.dev/v1alpha1\nkind: Profile\n";
  text += "metadata: {name: " + quote(profile.name) +
          ", version: " + std::to_string(profile.version) + "}\n";
  text += format_spec(profile);
  if (!profile.provenance.empty()) {
    text += "provenance:\n";
    for (const auto& [key, value] : profile.provenance)
      text += "  " + quote(key) + ": " + quote(value) + "\n";
  }
  return text;
}

std::string write_yaml(const Policy& policy) {
  std::string text =
      "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + quote(policy.name) +
      "}\nspec:\n  rules:\n";
  for (const PolicyRule& rule : policy.rules) {
    // `off` is a boolean to some readers of YAML, so the modes are written as they are read: by the
    // strict reader, as words.
    text += "    - mode: " + std::string(mode_name(rule.mode)) + "\n";
    if (rule.selector != Selector{}) text += "      match: " + format_match(rule.selector) + "\n";
    if (!rule.profile.empty()) text += "      profile: " + quote(rule.profile) + "\n";
    if (!rule.workload.empty()) text += "      workload: " + quote(rule.workload) + "\n";
    if (rule.missing != Missing::kRefuse)
      text += "      missing: " + std::string(missing_name(rule.missing)) + "\n";
    if (rule.sessions != Sessions::kLayer)
      text += "      exec: " + std::string(sessions_name(rule.sessions)) + "\n";
    if (rule.enforce_after) text += format_gate(*rule.enforce_after);
    if (rule.storm_guard) text += format_storm_guard(*rule.storm_guard);
    if (!rule.on_workload && !rule.on_exec && !rule.on_refused) continue;
    text += "      onViolation:\n";
    if (rule.on_workload)
      text += "        workload: {action: " + std::string(action_name(*rule.on_workload)) + "}\n";
    if (rule.on_exec)
      text += "        exec: {action: " + std::string(action_name(*rule.on_exec)) + "}\n";
    if (rule.on_refused)
      text += "        refused: " + std::string(refused_name(*rule.on_refused)) + "\n";
  }
  return text;
}

}  // namespace ward::profiles
