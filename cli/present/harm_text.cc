// SPDX-License-Identifier: Apache-2.0
#include "cli/present/harm_text.h"

#include <algorithm>
#include <span>

#include "cli/present/json_text.h"
#include "cli/present/table.h"

namespace ward::cli {
namespace {

using profiles::HarmClass;

std::string paint(const Style& style, HarmClass harm, const std::string& text) {
  if (harm == HarmClass::kDanger) return style.bad(text);
  return harm == HarmClass::kReach ? style.warn(text) : style.good(text);
}

std::string join(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

// "Without a note, the source is the manual": profiles/harm/classes.yaml.
std::string sources(const profiles::HarmReason& reason) {
  return reason.sources.empty() ? "man" : join(reason.sources);
}

std::string line(std::string_view key, std::string_view text) {
  constexpr std::size_t kWidth = 10;
  if (text.empty()) return "";
  std::string label(key);
  label.resize(kWidth, ' ');
  return "    " + label + std::string(text) + "\n";
}

}  // namespace

std::vector<HarmEntry> select_harm(const HarmSelection& selection) {
  std::vector<HarmEntry> entries;
  const auto add = [&](const HarmEntry& entry) {
    if (selection.harm && entry.harm() != *selection.harm) return;
    if (selection.holes && entry.reason().opens.empty()) return;
    entries.push_back(entry);
  };
  for (const profiles::HarmCall& call : profiles::harm_calls()) {
    const auto& wanted = selection.calls;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), call.name) == wanted.end())
      continue;
    add({&call, nullptr});
    for (const profiles::HarmValue& value : call.values) add({&call, &value});
  }
  return entries;
}

std::string harm_table(const std::vector<HarmEntry>& entries, const Style& style) {
  Table table({"CLASS", "CALL", "ARGUMENTS", "WHY"});
  for (const HarmEntry& entry : entries) {
    const HarmClass harm = entry.harm();
    const bool rest = entry.value == nullptr && !entry.call->values.empty();
    constexpr std::size_t kWidest = 60;
    std::string arguments = entry.value != nullptr ? std::string(entry.value->shown)
                            : rest                 ? "any other"
                                                   : "";
    if (arguments.size() > kWidest) arguments = arguments.substr(0, kWidest - 3) + "...";
    table.add({{std::string(harm_class_name(harm)),
                [&style, harm](const auto& text) { return paint(style, harm, text); }},
               std::string(entry.call->name),
               arguments,
               std::string(entry.reason().why)});
  }
  return table.text(style);
}

std::string harm_details(const std::vector<HarmEntry>& entries, const Style& style) {
  std::string text;
  for (const HarmEntry& entry : entries) {
    const profiles::HarmReason& reason = entry.reason();
    const std::string_view shown = entry.value != nullptr ? entry.value->shown : "";
    text += style.bold(entry.call->name) + " (" + std::to_string(entry.call->nr) + ")";
    if (entry.value == nullptr && !entry.call->values.empty()) text += ", any other arguments";
    text += ": " + paint(style, entry.harm(), std::string(harm_class_name(entry.harm()))) + "\n";
    text += line("where", shown) + line("why", reason.why) + line("opens", reason.opens) +
            line("CVEs", join(reason.cves)) + line("gate", reason.gate) +
            line("Docker", reason.docker) + line("systemd", reason.systemd) +
            line("sources", sources(reason));
  }
  return text;
}

std::string harm_json(const std::vector<HarmEntry>& entries) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const HarmEntry& entry : entries) {
    const profiles::HarmReason& reason = entry.reason();
    all.push_back({{"schema", schema("HarmEntry")},
                   {"call", entry.call->name},
                   {"number", entry.call->nr},
                   {"arguments", entry.value != nullptr ? entry.value->shown : ""},
                   {"class", harm_class_name(entry.harm())},
                   {"why", reason.why},
                   {"opens", reason.opens},
                   {"cves", std::vector<std::string_view>(reason.cves.begin(), reason.cves.end())},
                   {"gate", reason.gate},
                   {"docker", reason.docker},
                   {"systemd", reason.systemd},
                   {"sources", sources(reason)}});
  }
  return json_text(all);
}

}  // namespace ward::cli
