// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/incident_text.h"
#include "profiles/techniques/techniques.h"

#include "cli/present/event_text.h"
#include "cli/present/table.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

// Lines stay few: the page and the JSON have the rest.
constexpr std::size_t kMaxRowsOfText = 8;

std::string rule_text(const profiles::RuleFound& rule) {
  std::string text = rule.text;
  if (!rule.layer.empty()) text += " (layer " + rule.layer + ")";
  if (!rule.from.empty()) text += ", " + rule.from;
  if (!rule.place.empty()) text += ", " + rule.place;
  return printable(text, 1000);
}

std::string milliseconds_after(std::int64_t at_ns) { return microseconds(at_ns / 1000); }

void append_processes(const Evidence& evidence, std::string& text) {
  if (evidence.chain.empty()) return;
  text += "Processes, the one that called first, then its parents\n";
  std::size_t shown = 0;
  for (const SeenProcess& process : evidence.chain) {
    if (shown++ == kMaxRowsOfText) break;
    text += "  " + std::to_string(process.pid) + " " + printable(process.comm, 64) + "  " +
            printable(process.exe, 200) + "\n";
  }
}

void append_related(const Incident& incident, std::string& text) {
  if (incident.related.empty()) return;
  text += "Related\n";
  std::size_t shown = 0;
  for (const RelatedGroup& group : incident.related) {
    if (shown++ == kMaxRowsOfText) break;
    text += "  " + std::to_string(group.calls) + " x " + escape(group.syscall, 64) + " under " +
            escape(group.profile, 64) + " in " + std::to_string(group.containers_in_all) +
            (group.containers_in_all == 1 ? " container" : " containers") +
            (group.same_call ? ", this call" : "") + ", last " + local_time(group.last_wall_ns) +
            "\n";
  }
}

}  // namespace

std::string incident_table(const std::vector<Incident>& incidents, const Style& style) {
  if (incidents.empty()) return "no incident is in the journal\n";
  Table table({"WHEN", "ID", "WHERE", "CALL", "OUTCOME", "NOW"});
  for (const Incident& incident : incidents) {
    Table::Paint paint;
    const Containment containment = containment_of(incident);
    if (containment == Containment::kQuarantined)
      paint = [&](const std::string& cell) { return style.bad(cell); };
    const ward::v1::Event& event = incident.event;
    table.add({local_time(event.wall_ns()),
               event.id(),
               where_of(event),
               event.syscall().empty() ? event.capability() : event.syscall(),
               event.outcome().substr(0, event.outcome().find(';')),
               {std::string(containment_word(containment)), paint}});
  }
  return table.text(style);
}

std::string judgement_text(const Judgement& judgement) {
  const profiles::Ruling& ruling = judgement.ruling;
  std::string text = printable(ruling.verdict, 2000) + "\n";
  text += "  decides   " + rule_text(ruling.rule) + "\n";
  if (!ruling.nearest.text.empty())
    text += "  nearest   " + rule_text(ruling.nearest) + " - " + ruling.nearest_why + "\n";
  text += "  class     " + ruling.harm + (ruling.danger ? ", of the danger set" : "") + "\n";
  if (!ruling.refused.empty()) text += "  refused   " + printable(ruling.refused) + "\n";
  for (const std::string& sentence : provenance_sentences(judgement))
    text += "  learned   " + sentence + "\n";
  if (!judgement.same_version)
    text +=
        "  version   the one that decided is not in force any more; this is what the one in "
        "force says\n";
  return text;
}

std::string incident_text(const Incident& incident, const Style& style) {
  std::string text = style.bold(headline(incident)) + "\n\n";
  text += local_time(incident.event.wall_ns()) + "  incident " + escape(incident.event.id(), 80) +
          " on " + escape(incident.node, 80) + "\n";
  for (const std::string& note : incident.bundle.notes)
    text += style.warn("note: ") + printable(note) + "\n";
  text += "\nWhen\n";
  std::size_t shown = 0;
  for (const Moment& moment : timeline_of(incident)) {
    if (shown++ == kMaxRowsOfText * 2) break;
    const std::string after = milliseconds_after(moment.at_ns);
    text += "  " + std::string(after.size() < 9 ? 9 - after.size() : 0, ' ') + after + "  " +
            printable(moment.what, 200) + "\n";
  }
  append_processes(incident.bundle.evidence, text);
  text += "Why\n";
  if (incident.judgement) {
    text += "  " + judgement_text(*incident.judgement);
  } else {
    text += "  " + printable(incident.why_no_judgement) + "\n";
  }
  const std::vector<std::uint64_t> args(incident.event.args().begin(), incident.event.args().end());
  for (const profiles::Technique& technique :
       profiles::techniques_of(incident.event.syscall(), args))
    text += "  ATT&CK    " + std::string(technique.id) + " " + std::string(technique.name) + ": " +
            std::string(technique.why) + "\n";
  append_related(incident, text);
  text += "Next\n";
  for (const NextStep& step : next_steps(incident))
    text += "  " + step.what + "\n    " + style.bold(step.command) + "\n";
  return text;
}

}  // namespace ward::cli
