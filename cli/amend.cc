// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/present/table.h"
#include "cli/verbs.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"

namespace ward::cli {
namespace {

using Stub = ward::v1::Ward::Stub;

std::string call_of(const ward::v1::Amendment& amendment) {
  return amendment.syscall() +
         (amendment.arguments().empty() ? "" : " (" + amendment.arguments() + ")");
}

void print(Session& session, const ward::v1::ListAmendmentsResponse& answer) {
  if (answer.amendments().empty()) {
    session.print("this node lets nothing run besides its profiles\n");
    return;
  }
  Table table({"PROFILE", "CALL", "KIND", "SINCE", "CONTAINERS", "COUNT"});
  for (const auto& one : answer.amendments()) {
    table.add({one.profile() + "@" + short_digest(one.profile_digest()), call_of(one), one.kind(),
               age(one.since_wall_ns(), wall_ns()), std::to_string(one.containers()),
               std::to_string(one.count())});
  }
  session.print(table.text(session.out));
}

void add_list(CLI::App& amend, Session& session, int& exit_code) {
  auto* verb = add_verb(amend, "list", "What this node lets run besides its profiles");
  verb->footer(examples({"ward amend list", "ward amend list web -o json"}));
  const auto request = std::make_shared<ward::v1::ListAmendmentsRequest>();
  add_value(
      *verb, "profile", [request](const std::string& name) { request->set_profile(name); },
      "of this profile alone")
      ->type_name(kProfileValue);
  verb->callback([&session, &exit_code, request] {
    exit_code = ask(session, "amend list", &Stub::ListAmendments, *request,
                    [&](const auto& answer) { print(session, answer); });
  });
}

void add_drop(CLI::App& amend, Session& session, int& exit_code) {
  auto* verb = add_verb(
      amend, "drop", "Take it back from the next start on, and not amend it again in this version");
  verb->footer(examples({"ward amend drop web mkdir", "ward amend drop web"}));
  const auto request = std::make_shared<ward::v1::DropAmendmentsRequest>();
  add_value(
      *verb, "profile", [request](const std::string& name) { request->set_profile(name); },
      "the profile that is amended")
      ->type_name(kProfileValue)
      ->required();
  add_value(
      *verb, "call", [request](const std::string& name) { request->set_syscall(name); },
      "this call alone; without it all of the profile");
  verb->callback([&session, &exit_code, request] {
    exit_code = ask(session, "amend drop " + escape(request->profile(), 80), &Stub::DropAmendments,
                    *request, [&](const auto& answer) {
                      for (const auto& one : answer.dropped())
                        session.print(escape(one.profile(), 80) + ": " + escape(call_of(one), 200) +
                                      " is dropped, and ends with the next start\n");
                    });
  });
}

}  // namespace

void add_amend(CLI::App& app, Session& session, int& exit_code) {
  auto* amend = add_verb(
      app, "amend", "Calls that this node lets run of itself, because a policy says amend: auto");
  amend->require_subcommand(1);
  amend->footer(examples({"ward amend list"}));
  add_list(*amend, session, exit_code);
  add_drop(*amend, session, exit_code);
}

}  // namespace ward::cli
