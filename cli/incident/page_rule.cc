// SPDX-License-Identifier: Apache-2.0
// Which rule decided, where it stands, and the nearest one that allows something like the call.
#include "cli/incident/page_parts.h"
#include "cli/incident/page_sections.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

std::string rule_text(const profiles::RuleFound& rule) {
  std::string text = rule.text;
  if (!rule.layer.empty()) text += " (layer " + rule.layer + ")";
  if (!rule.from.empty()) text += ", " + rule.from;
  if (!rule.place.empty()) text += ", " + rule.place;
  return printable(text, 2000);
}

}  // namespace

void write_rule(html::Writer& out, const Incident& incident) {
  Section section(out, "rule", "The rule, and the nearest one");
  if (!incident.judgement) {
    out.element("p", incident.why_no_judgement.empty() ? "The profile is not known."
                                                       : incident.why_no_judgement);
    return;
  }
  const Judgement& judgement = *incident.judgement;
  const profiles::Ruling& ruling = judgement.ruling;
  if (!judgement.same_version)
    out.element("p", {{"class", "bad"}},
                "The version that decided is not in force any more: this is what the one in force "
                "says.");
  out.element("p", printable(ruling.verdict, 2000) + ".");
  {
    Facts facts(out);
    facts.add("Decides", rule_text(ruling.rule));
    facts.add("Nearest rule", ruling.nearest.text.empty()
                                  ? "none: the profile allows nothing like it"
                                  : rule_text(ruling.nearest) + " - " + ruling.nearest_why);
    facts.add("Harm class", ruling.harm + (ruling.danger ? ", of the danger set" : ""));
    facts.add("Refused by the own filter", ruling.refused);
  }
  out.element("h3", "When it was learned, and by whom").open("ul");
  for (const std::string& sentence : provenance_sentences(judgement)) out.element("li", sentence);
  out.close();
}

}  // namespace ward::cli
