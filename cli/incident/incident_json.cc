// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/incident_json.h"
#include "profiles/techniques/techniques.h"

#include "cli/present/json.h"
#include "lib/base/rfc3339.h"
#include "lib/base/utf8.h"

namespace ward::cli {
namespace {

using Json = nlohmann::ordered_json;

Json rule_json(const profiles::RuleFound& rule) {
  return {{"layer", rule.layer},
          {"rule", to_utf8(rule.text)},
          {"from", to_utf8(rule.from)},
          {"place", to_utf8(rule.place)}};
}

Json related_json(const RelatedGroup& group) {
  Json names = Json::array();
  for (const std::string& name : group.containers) names.push_back(to_utf8(name));
  return {{"call", to_utf8(group.syscall)},
          {"profile", to_utf8(group.profile)},
          {"calls", std::to_string(group.calls)},
          {"incidents", group.incidents},
          {"containers", names},
          {"containers_in_all", group.containers_in_all},
          {"first_wall_ns", std::to_string(group.first_wall_ns)},
          {"first_time", format_rfc3339(group.first_wall_ns)},
          {"last_wall_ns", std::to_string(group.last_wall_ns)},
          {"last_time", format_rfc3339(group.last_wall_ns)},
          {"ids", group.ids},
          {"same_call", group.same_call},
          {"same_container", group.same_container}};
}

}  // namespace

Json summary_json(const Incident& incident) {
  const ward::v1::Event& event = incident.event;
  return {{"id", event.id()},
          {"wall_ns", std::to_string(event.wall_ns())},
          {"time", format_rfc3339(event.wall_ns())},
          {"where", to_utf8(where_of(event))},
          {"call", event.syscall()},
          {"profile", event.profile()},
          {"outcome", to_utf8(event.outcome())},
          {"now", containment_word(containment_of(incident))},
          {"evidence", event.evidence()}};
}

Json to_json(const Judgement& judgement) {
  const profiles::Ruling& ruling = judgement.ruling;
  Json learned = Json::array();
  for (const std::string& sentence : provenance_sentences(judgement))
    learned.push_back(to_utf8(sentence));
  return {{"profile", judgement.profile.name},
          {"version", std::to_string(judgement.profile.version)},
          {"same_version", judgement.same_version},
          {"ruling", profiles::ruling_name(ruling.kind)},
          {"verdict", to_utf8(ruling.verdict)},
          {"decides", rule_json(ruling.rule)},
          {"nearest", rule_json(ruling.nearest)},
          {"nearest_why", ruling.nearest_why},
          {"class", ruling.harm},
          {"danger", ruling.danger},
          {"signature", to_utf8(ruling.signature)},
          {"refused", to_utf8(ruling.refused)},
          {"learned", learned}};
}

Json to_json(const Incident& incident) {
  const ward::v1::Event& event = incident.event;
  Json out = {{"schema", schema("Incident")}};
  out.update(summary_json(incident));
  out["headline"] = headline(incident);
  out["event"] = Json::parse(to_json(event, JsonForm::kLine), nullptr, false);
  out["evidence_complete"] = incident.bundle.complete;
  out["notes"] = Json::array();
  for (const std::string& note : incident.bundle.notes) out["notes"].push_back(to_utf8(note));
  out["timeline"] = Json::array();
  for (const Moment& moment : timeline_of(incident))
    out["timeline"].push_back(
        {{"at_ns", std::to_string(moment.at_ns)}, {"what", to_utf8(moment.what)}});
  out["techniques"] = Json::array();
  for (const profiles::Technique& technique : profiles::techniques_of(
           event.syscall(), {event.args().data(), static_cast<std::size_t>(event.args_size())}))
    out["techniques"].push_back(
        {{"id", technique.id}, {"name", technique.name}, {"why", technique.why}});
  out["related"] = Json::array();
  for (const RelatedGroup& group : incident.related) out["related"].push_back(related_json(group));
  out["next"] = Json::array();
  for (const NextStep& step : next_steps(incident))
    out["next"].push_back({{"what", step.what}, {"command", step.command}});
  out["rulings"] = Json::array();
  if (incident.judgement) out["rulings"].push_back(to_json(*incident.judgement));
  return out;
}

}  // namespace ward::cli
