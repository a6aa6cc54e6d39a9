// SPDX-License-Identifier: Apache-2.0
// The first page of `ward view`: the incidents, and what is being learned.
#include "cli/incident/page.h"
#include "cli/incident/page_parts.h"
#include "cli/present/event_text.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/base/rfc3339.h"

namespace ward::cli {
namespace {

// A list of links may be longer than a section of an incident: this page has nothing else.
constexpr std::size_t kMaxListed = 200;

void write_incidents(html::Writer& out, const Overview& overview) {
  out.open("section", {{"id", "incidents"}}).element("h2", "Incidents");
  if (overview.incidents.empty()) out.element("p", "None is in the journal.");
  if (!overview.incidents.empty())
    begin_table(out, "The newest first", {"when", "what", "where", "what Ward did", "now"});
  std::size_t rows = 0;
  for (const Incident& incident : overview.incidents) {
    if (rows++ == kMaxListed) break;
    const ward::v1::Event& event = incident.event;
    out.open("tr").open("td").link(page_name(event), utc_text(event.wall_ns())).close();
    out.open("td").open("code").text(call_text(event), 300).close().close();
    out.open("td").data(where_of(event)).close();
    out.element("td", printable(event.outcome(), 200));
    const Containment containment = containment_of(incident);
    const bool open = containment == Containment::kQuarantined;
    out.open("td")
        .open("span", {{"class", open ? "bad" : "soft"}})
        .text(containment_word(containment))
        .close()
        .close()
        .close();
  }
  if (!overview.incidents.empty()) end_table(out);
  if (overview.incidents_in_all > overview.incidents.size())
    out.element("p", {{"class", "soft"}},
                std::to_string(overview.incidents_in_all - overview.incidents.size()) +
                    " older ones are in the journal: ward incident list");
  out.close();
}

void write_recordings(html::Writer& out, const Overview& overview) {
  out.open("section", {{"id", "learning"}}).element("h2", "What is being learned");
  if (overview.recordings.empty()) {
    out.element("p", "Nothing was recorded.").close();
    return;
  }
  begin_table(out, "Recordings of workloads",
              {"workload", "runs", "active", "calls", "capabilities", "lost", "last"});
  std::size_t rows = 0;
  for (const ward::v1::RecordingSummary& recording : overview.recordings) {
    if (rows++ == kMaxListed) break;
    row(out, {escape(recording.workload(), 200), std::to_string(recording.runs()),
              std::to_string(recording.active_runs()), std::to_string(recording.syscalls()),
              std::to_string(recording.capabilities()), std::to_string(recording.lost_events()),
              utc_text(recording.last_wall_ns())});
  }
  end_table(out);
  out.close();
}

}  // namespace

std::string overview_page(const Overview& overview) {
  const ward::v1::NodeStatus& status = overview.status;
  html::Writer out;
  out.open("main").open("header");
  const bool calm = status.quarantined() == 0;
  out.open("h1", {{"class", calm ? "calm" : "open"}})
      .text(std::to_string(status.quarantined()) + " of " + std::to_string(status.containers()) +
            " containers in quarantine, " + std::to_string(overview.incidents_in_all) +
            " incidents in the journal, " + std::to_string(status.recording()) +
            " runs being recorded")
      .close();
  out.open("p", {{"class", "soft"}})
      .text("Node ")
      .data(overview.node)
      .text(", wardd " + escape(status.version(), 40) + ", recorder " +
            escape(status.recorder(), 200) + ". As of " + format_rfc3339(overview.made_wall_ns) +
            ".")
      .close();
  for (const std::string& problem : status.problems())
    out.element("p", {{"class", "bad"}}, printable(problem, 1000));
  out.close();
  write_incidents(out, overview);
  write_recordings(out, overview);
  return whole_page("Ward: incidents of " + escape(overview.node, 100), std::move(out).finish());
}

}  // namespace ward::cli
