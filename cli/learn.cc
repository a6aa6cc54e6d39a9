// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/present/discovery_text.h"
#include "cli/present/recording_text.h"
#include "cli/present/table.h"
#include "cli/verbs.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/named_output.h"

namespace ward::cli {
namespace {

using Stub = ward::v1::Ward::Stub;

void print_list(Session& session, const ward::v1::ListRecordingsResponse& recordings) {
  Table table(
      {"WORKLOAD", "RUNS", "ACTIVE", "SYSCALLS", "CAPABILITIES", "LOST", "LAST", "RECORDER"});
  for (const auto& r : recordings.recordings()) {
    table.add({r.workload(), std::to_string(r.runs()), std::to_string(r.active_runs()),
               std::to_string(r.syscalls()), std::to_string(r.capabilities()),
               std::to_string(r.lost_events()), age(r.last_wall_ns(), wall_ns()), r.recorder()});
  }
  session.print(table.text(session.out));
}

int list(Session& session) {
  return ask(session, "learn list", &Stub::ListRecordings, {},
             [&](const auto& recordings) { print_list(session, recordings); });
}

int show(Session& session, const std::string& workload, const std::string& svg) {
  ward::v1::GetRecordingRequest request;
  request.set_workload(workload);
  int written = kExitOk;
  const int asked = ask(session, "learn show " + escape(workload, 80), &Stub::GetRecording, request,
                        [&](const auto& recording) {
                          if (svg.empty())
                            return session.print(recording_text(recording, session.out));
                          const std::string picture =
                              discovery_svg(escape(workload, 80), recording.coverage());
                          if (const auto put = write_named_output(svg, picture, 0644); !put)
                            written = session.fail(put.error());
                        });
  return asked == kExitOk ? written : asked;
}

int forget(Session& session, const ward::v1::ForgetRecordingRequest& request) {
  return ask(session, "learn forget " + escape(request.workload(), 80), &Stub::ForgetRecording,
             request, [&](const auto& forgotten) {
               session.print(escape(request.workload()) + ": " +
                             std::to_string(forgotten.forgotten()) + " runs forgotten" +
                             (forgotten.kept_active() == 0
                                  ? ""
                                  : ", " + std::to_string(forgotten.kept_active()) +
                                        " kept because they go on") +
                             "\n");
               for (const std::string& id : forgotten.run_ids())
                 session.print("  run " + escape(id) + "\n");
             });
}

void add_forget(CLI::App& learn, Session& session, int& exit_code) {
  auto* verb = add_verb(learn, "forget",
                        "Remove ended runs: a lossy one, or one that saw what it should not have");
  verb->footer(examples({"ward learn forget web", "ward learn forget web --run 3f2a"}));
  const auto request = std::make_shared<ward::v1::ForgetRecordingRequest>();
  add_value(
      *verb, "workload", [request](const std::string& name) { request->set_workload(name); },
      "a name from `ward learn list`")
      ->required()
      ->type_name(kWorkloadValue);
  add_value(
      *verb, "--run", [request](const std::string& id) { request->set_run_id(id); },
      "only this run, by its id or the beginning of it; all without");
  verb->callback([&session, &exit_code, request] { exit_code = forget(session, *request); });
}

}  // namespace

void add_learn(CLI::App& app, Session& session, int& exit_code) {
  auto* learn = add_verb(app, "learn", "What was recorded in mode learn");
  learn->require_subcommand(1);
  learn->footer(examples({"ward learn list"}));
  add_verb(*learn, "list", "Recorded workloads")
      ->footer(examples({"ward learn list", "ward learn list -o json"}))
      ->callback([&] { exit_code = list(session); });
  auto* verb =
      add_verb(*learn, "show", "What a workload did, and how much of it is probably still unseen");
  const auto workload = std::make_shared<std::string>();
  verb->footer(examples({"ward learn show web", "ward learn show web -o json",
                         "ward learn show web --svg discovery.svg"}));
  add_value(*verb, "workload", *workload, "a name from `ward learn list`")
      ->required()
      ->type_name(kWorkloadValue);
  const auto svg = std::make_shared<std::string>();
  add_value(*verb, "--svg", *svg, "write the curve of discovery to this file, as a picture")
      ->type_name(kFileValue);
  add_learn_watch(*learn, session, exit_code);
  add_forget(*learn, session, exit_code);
  verb->callback(
      [&session, &exit_code, workload, svg] { exit_code = show(session, *workload, *svg); });
}

}  // namespace ward::cli
