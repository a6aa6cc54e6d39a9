// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/present/table.h"
#include "cli/profile_file.h"
#include "cli/request_text.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

using Stub = ward::v1::Ward::Stub;

constexpr int kShown = 3;  // of many values

std::string values_of(const ward::v1::SimulatedCall& call) {
  std::string text;
  for (int i = 0; i < std::min(call.arguments_size(), kShown); ++i)
    text += (i == 0 ? "" : "; ") + printable(call.arguments(i));
  return text + (call.arguments_size() > kShown ? "; ..." : "");
}

void print(Session& session, const ward::v1::SimulateProfileResponse& answer) {
  const std::string name = "profile " + printable(answer.profile());
  std::string said = name + " would have acted in " + std::to_string(answer.stopped()) + " of " +
                     std::to_string(answer.runs()) + " recorded runs";
  if (!answer.workload().empty()) said += " of " + printable(answer.workload());
  said += ", and on " + std::to_string(answer.events_stopped()) + " of " +
          std::to_string(answer.events()) + " calls that its events tell of";
  session.print(said + "\n");
  Table table({"CALL", "WITH", "CLASS", "WOULD BE", "OF", "RUNS", "CALLS", "EVENTS"});
  for (const auto& call : answer.calls()) {
    table.add({printable(call.syscall()), values_of(call), call.harm(),
               call.let_run() ? "let run and recorded" : "a violation", call.origin(),
               std::to_string(call.runs_size()), std::to_string(call.count()),
               std::to_string(call.events())});
  }
  if (!table.empty()) session.print("\n" + table.text(session.out));
  for (const std::string& capability : answer.capabilities())
    session.print("cut, and used in a run: " + printable(capability) + "\n");
  session.warn_all(answer.warnings());
}

int run(Session& session, const std::string& path, ward::v1::SimulateProfileRequest request) {
  if (auto put = put_profile(path, request); !put) return session.fail(put.error());
  if (const auto why = why_not_text(request))
    return session.refuse("profile simulate: " + *why, kExitUsage);
  return ask(session, "profile simulate", &Stub::SimulateProfile, request,
             [&](const auto& answer) { print(session, answer); });
}

}  // namespace

void add_profile_simulate(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = add_verb(profile, "simulate",
                        "Replay recordings and events: where would this profile have acted?");
  const auto path = std::make_shared<std::string>();
  const auto request = std::make_shared<ward::v1::SimulateProfileRequest>();
  verb->footer(examples(
      {"ward profile simulate web.yaml", "ward profile simulate web.yaml --workload shop-web"}));
  add_value(*verb, "file", *path, "profile YAML, - for standard input")
      ->required()
      ->type_name(kFileValue);
  add_value(
      *verb, "--workload", [request](const std::string& name) { request->set_workload(name); },
      "whose recordings are replayed; those of the profile's name without")
      ->type_name(kWorkloadValue);
  verb->callback(
      [&session, &exit_code, path, request] { exit_code = run(session, *path, *request); });
}

}  // namespace ward::cli
