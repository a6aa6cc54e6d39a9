// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/incident/gather.h"
#include "cli/incident/incident_json.h"
#include "cli/incident/incident_text.h"
#include "cli/incident/page.h"
#include "cli/options.h"
#include "cli/out_option.h"
#include "cli/present/json_text.h"
#include "cli/verbs.h"
#include "lib/base/named_output.h"
#include "lib/base/printable.h"
#include "lib/base/utf8.h"

namespace ward::cli {
namespace {

int list(Session& session, std::size_t most) {
  Gathered node(session);
  if (const auto asked = node.ask(); !asked.ok()) return session.fail("incident list", asked);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::vector<Incident> shown;
  const auto all = node.incidents();
  for (const ward::v1::Event& event : all) {
    if (shown.size() == most) break;
    shown.push_back(node.brief(event));
    rows.push_back(summary_json(shown.back()));
  }
  if (session.json) {
    session.print(
        json_text({{"schema", schema("Incidents")}, {"incidents", rows}, {"in_all", all.size()}}));
  } else {
    session.print(incident_table(shown, session.out));
    if (shown.size() < all.size())
      session.say(std::to_string(all.size() - shown.size()) + " older ones: -n " +
                  std::to_string(all.size()));
  }
  return kExitOk;
}

// Nothing: the session has been told, and `exit_code` is set.
std::optional<Incident> find(Session& session, const std::string& doing, const std::string& id,
                             int& exit_code) {
  Gathered node(session);
  if (const auto asked = node.ask(); !asked.ok()) {
    exit_code = session.fail(doing, asked);
    return std::nullopt;
  }
  const auto event = node.find_event(id);
  if (!event) {
    exit_code = session.refuse(doing + ": " + event.error().message, kExitFailed);
    return std::nullopt;
  }
  if (!is_incident(*event)) {
    exit_code = session.refuse(doing + ": event '" + event->id() +
                                   "' was not contained and has no evidence: `ward why " +
                                   event->id() + "` says what decided",
                               kExitFailed);
    return std::nullopt;
  }
  return node.complete(*event);
}

int show(Session& session, const std::string& id) {
  int exit_code = kExitOk;
  const auto incident = find(session, "incident show", id, exit_code);
  if (!incident) return exit_code;
  session.print(session.json ? json_text(to_json(*incident))
                             : incident_text(*incident, session.out));
  return kExitOk;
}

int report(Session& session, const std::string& id, const std::string& file) {
  int exit_code = kExitOk;
  const auto incident = find(session, "incident report", id, exit_code);
  if (!incident) return exit_code;
  const std::string page = incident_page(*incident);
  // It holds what evidence holds, which only root reads.
  if (!file.empty()) {
    if (auto written = write_named_output(file, page, 0600); !written)
      return session.fail(written.error());
  }
  if (session.json) {
    session.print(json_text({{"schema", schema("Report")},
                             {"id", incident->event.id()},
                             {"file", to_utf8(file)},
                             {"bytes", page.size()}}));
  } else if (file.empty()) {
    session.print(page);
  } else {
    session.say("wrote " + printable(file) + ": " + headline(*incident));
  }
  return kExitOk;
}

void add_list(CLI::App& incident, Session& session, int& exit_code) {
  auto* verb = add_verb(incident, "list", "Which ones, the newest first");
  verb->footer(examples({"ward incident list", "ward incident list -n 5 -o json"}));
  const auto most = std::make_shared<std::size_t>(50);
  add_value(*verb, "-n,--last", *most, "the newest N; 50 without");
  verb->callback([&session, &exit_code, most] { exit_code = list(session, *most); });
}

void add_show(CLI::App& incident, Session& session, int& exit_code) {
  auto* verb = add_verb(incident, "show",
                        "What happened, what Ward did, how it stands, and what to do next");
  verb->footer(examples({"ward incident show a7e928162e5b788debe5-1"}));
  const auto id = std::make_shared<std::string>();
  add_value(*verb, "id", *id, "of `ward incident list`, or as much of its beginning as is clear")
      ->required();
  verb->callback([&session, &exit_code, id] { exit_code = show(session, *id); });
}

void add_report(CLI::App& incident, Session& session, int& exit_code) {
  auto* verb = add_verb(incident, "report", "The same as one HTML file that needs no other");
  verb->footer(examples({"ward incident report a7e928162e5b788debe5-1 -o incident.html"}));
  const auto id = std::make_shared<std::string>();
  const auto file = std::make_shared<std::string>();
  add_value(*verb, "id", *id, "of `ward incident list`, or as much of its beginning as is clear")
      ->required();
  add_out_option(*verb, session, [file](const std::string& name) { *file = name; });
  verb->callback([&session, &exit_code, id, file] { exit_code = report(session, *id, *file); });
}

}  // namespace

void add_incident(CLI::App& app, Session& session, int& exit_code) {
  auto* incident =
      add_verb(app, "incident", "Violations that were contained, or that Ward has evidence of");
  incident->require_subcommand(1);
  incident->footer(examples({"ward incident list"}));
  add_list(*incident, session, exit_code);
  add_show(*incident, session, exit_code);
  add_report(*incident, session, exit_code);
}

}  // namespace ward::cli
