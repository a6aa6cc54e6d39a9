// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/page.h"
#include "profiles/techniques/techniques.h"

#include "cli/incident/page_parts.h"
#include "cli/incident/page_sections.h"
#include "cli/present/event_text.h"
#include "cli/present/json.h"
#include "lib/base/escape.h"
#include "lib/base/rfc3339.h"

namespace ward::cli {
namespace {

void write_top(html::Writer& out, const Incident& incident) {
  const Containment containment = containment_of(incident);
  const bool calm = containment == Containment::kQuarantined ||
                    containment == Containment::kKilled || containment == Containment::kGone;
  out.open("header");
  out.open("h1", {{"class", calm ? "calm" : "open"}}).text(headline(incident)).close();
  out.open("p", {{"class", "soft"}})
      .text(format_rfc3339(incident.event.wall_ns()) + " on node ")
      .data(incident.node)
      .text(", incident ")
      .data(incident.event.id())
      .text(". As of " + format_rfc3339(incident.made_wall_ns) + ".")
      .close();
  out.open("nav", {{"aria-label", "On this page"}})
      .link("#next", "What to do next")
      .text(" - ")
      .link("#rule", "Why it was stopped")
      .text(" - ")
      .link("#processes", "Who did it")
      .close();
  for (const std::string& note : incident.bundle.notes) out.element("p", {{"class", "bad"}}, note);
  out.close();
}

void write_related(html::Writer& out, const Incident& incident) {
  Section section(out, "related", "Related");
  if (incident.related.empty()) {
    out.element("p", "Nothing else of this container or this profile is in the journal.");
    return;
  }
  begin_table(out, "Calls that the same profile or container had stopped, by kind",
              {"call", "profile", "calls", "incidents", "containers", "first", "last"});
  std::size_t shown = 0;
  for (const RelatedGroup& group : incident.related) {
    if (!section.has_room()) break;
    std::string containers;
    for (const std::string& name : group.containers)
      containers += (containers.empty() ? "" : " ") + escape(name, 128);
    if (group.containers_in_all > group.containers.size())
      containers +=
          " and " + std::to_string(group.containers_in_all - group.containers.size()) + " more";
    row(out, {escape(group.syscall) + (group.same_call ? " (this call)" : ""),
              escape(group.profile), std::to_string(group.calls), std::to_string(group.incidents),
              containers, utc_text(group.first_wall_ns), utc_text(group.last_wall_ns)});
    ++shown;
  }
  end_table(out);
  section.say_left_out(incident.related.size() - shown);
}

void write_techniques(html::Writer& out, const Incident& incident) {
  Section section(out, "technique", "ATT&CK technique");
  const auto& event = incident.event;
  const std::vector<std::uint64_t> args(event.args().begin(), event.args().end());
  const auto found = profiles::techniques_of(event.syscall(), args);
  if (found.empty()) {
    out.element("p", "None is known that this call would be a step of.");
    return;
  }
  out.open("ul");
  for (const profiles::Technique& technique : found)
    out.open("li")
        .element("b", technique.id)
        .text(" " + std::string(technique.name) + ": " + std::string(technique.why))
        .close();
  out.close().open("p", {{"class", "soft"}});
  out.text("What the call may be a step of, not what it proves. " +
           std::string(profiles::technique_source()) + ".");
  out.close();
}

void write_next(html::Writer& out, const Incident& incident) {
  Section section(out, "next", "What to do next");
  const std::string target = where_of(incident.event);
  if (containment_of(incident) == Containment::kQuarantined)
    out.element("p", "It stays as it is until somebody decides: there is no hurry.");
  if (incident.judgement && incident.judgement->ruling.danger)
    out.element("p",
                "The call is of the danger set: to allow it, the profile needs an entry under "
                "accept with a reason, by hand.");
  for (const NextStep& step : next_steps(incident)) {
    out.element("h3", step.what);
    out.open("pre", {{"class", "copy"}}).text(step.command).close();
  }
}

// The only part that has no room of its own: all of it is what was asked for.
void write_raw(html::Writer& out, const Incident& incident) {
  out.open("section", {{"id", "raw"}}).element("h2", "Raw JSON");
  out.open("details").element("summary", "The event, as the journal has it");
  box(out, "The event as JSON", to_json(incident.event), kMaxRawBytes);
  out.close();
  if (!incident.bundle.json.empty()) {
    out.open("details").element("summary", "evidence.json");
    box(out, "evidence.json", incident.bundle.json, kMaxRawBytes);
    out.close();
  }
  out.close();
}

}  // namespace

std::string incident_page(const Incident& incident) {
  html::Writer out;
  out.open("main");
  write_top(out, incident);
  write_timeline(out, incident);
  write_processes(out, incident);
  write_call(out, incident);
  write_rule(out, incident);
  write_container(out, incident);
  write_surroundings(out, incident);
  write_mapped(out, incident);
  write_changed_files(out, incident);
  write_related(out, incident);
  write_techniques(out, incident);
  write_next(out, incident);
  write_raw(out, incident);
  const std::string what =
      incident.event.syscall().empty() ? incident.event.capability() : incident.event.syscall();
  return whole_page("Ward: " + escape(what, 60) + " in " + escape(where_of(incident.event), 120),
                    std::move(out).finish());
}

std::string page_name(const ward::v1::Event& event) {
  std::string name = "incident-";
  for (const char c : event.id().substr(0, 100)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    name += plain ? c : '_';
  }
  return name + ".html";
}

}  // namespace ward::cli
