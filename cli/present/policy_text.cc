// SPDX-License-Identifier: Apache-2.0
#include "cli/present/policy_text.h"

#include "cli/present/table.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

constexpr std::size_t kMaxText = 1024;

std::string place(const std::string& file, std::uint32_t line) {
  return file.empty() ? "-" : escape(file, kMaxText) + ":" + std::to_string(line);
}

std::string what_follows(const ward::v1::PolicyVerdict& verdict, const Style& style) {
  if (!verdict.refused().empty())
    return style.bold("start") + "     " + style.bad("refused: ") + printable(verdict.refused()) +
           "\n";
  std::string text = style.bold("mode") + "      " + escape(verdict.mode()) + "\n";
  if (!verdict.profile().empty())
    text += style.bold("profile") + "   " + escape(verdict.profile(), kMaxText) + "@" +
            short_digest(verdict.profile_digest()) + "\n";
  if (!verdict.workload().empty())
    text += style.bold("workload") + "  " + escape(verdict.workload(), kMaxText) + "\n";
  if (!verdict.exec().empty())
    text += style.bold("exec") + "      " + escape(verdict.exec()) + "\n";
  for (const auto& note : verdict.notes())
    text += style.bold("note") + "      " + printable(note) + "\n";
  return text;
}

}  // namespace

std::string policy_text(const ward::v1::PolicyVerdict& verdict, const Style& style) {
  std::string text = style.bold("decides") + "   ";
  if (verdict.matches()) {
    text += "rule " + std::to_string(verdict.rule()) + " of policy " +
            escape(verdict.policy(), kMaxText) + ", " + place(verdict.file(), verdict.line()) +
            "\n";
  } else {
    text += style.warn("no rule") + " of " + std::to_string(verdict.tried_size()) + "\n";
  }
  text += what_follows(verdict, style);
  // The rest of the verdict is of a start now.
  if (!verdict.running_mode().empty()) {
    text +=
        style.bold("running") + "   mode " + escape(verdict.running_mode()) +
        " since its start, by " +
        (verdict.running_policy().empty() ? "no policy"
                                          : "policy " + escape(verdict.running_policy(), kMaxText));
    if (!verdict.running_note().empty()) text += ": " + escape(verdict.running_note(), kMaxText);
    text += "\n";
  }
  Table table({"RULE", "MODE", "STANDS IN", "WHY NOT"});
  for (const auto& tried : verdict.tried()) {
    if (tried.why_not().empty()) continue;
    table.add({tried.policy() + " " + std::to_string(tried.rule()), tried.mode(),
               tried.file() + ":" + std::to_string(tried.line()), tried.why_not()});
  }
  return table.empty() ? text : text + "\n" + table.text(style);
}

}  // namespace ward::cli
