// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <memory>

#include "cli/app.h"
#include "cli/apply_profile.h"
#include "cli/options.h"
#include "cli/out_option.h"
#include "cli/present/json.h"
#include "cli/present/table.h"
#include "cli/progress.h"
#include "cli/request_text.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/named_output.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

struct Wanted {
  ward::v1::ProposeProfileRequest request;
  std::string output;
  bool apply = false;
};

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// One row a call, on standard error, so that the document alone can be redirected.
void say_calls(Session& session, const ward::v1::ProposeProfileResponse& response) {
  Table table({"CALL", "CLASS", "WAS", "OF", "PHASE", "TIMES", "CONTAINERS", "LAST"});
  for (const auto& call : response.calls()) {
    if (call.count() == 0) {
      table.add({printable(call.syscall()), call.harm(), "not seen: a relative", call.origin(), "",
                 "", "", ""});
      continue;
    }
    table.add({printable(call.syscall()), call.harm(), call.stopped() ? "a violation" : "let run",
               call.origin(), joined(call.phases()), std::to_string(call.count()),
               std::to_string(call.containers_size()), local_time(call.last_wall_ns())});
  }
  std::string text = table.text(session.err);
  if (!text.empty()) text.pop_back();  // say() ends the line
  if (!table.empty()) session.say(text);
}

int apply(Session& session, const std::string& yaml) {
  ward::v1::ApplyProfileRequest request;
  request.set_yaml(yaml);
  request.set_file_name("<proposal>");
  request.set_insist(true);  // it only widens what is in force
  int refused = kExitOk;
  const auto response = apply_profile(session, request, "profile propose --apply", refused);
  if (!response) return refused;
  session.warn_all(response->warnings());
  session.say(applied_text(*response, false));
  if (const auto running = running_text(*response); !running.empty()) session.say(running);
  return kExitOk;
}

int run(Session& session, const Wanted& wanted) {
  if (const auto why = why_not_text(wanted.request))
    return session.refuse("profile propose: " + *why, kExitUsage);
  grpc::ClientContext context;
  context.set_deadline(deadline(kPatienceToCompile));
  ward::v1::ProposeProfileResponse response;
  const auto rpc = [&] {
    const Progress progress("wardd looks through its journal");
    return session.api().ProposeProfile(&context, wanted.request, &response);
  }();
  if (!rpc.ok())
    return session.fail("profile propose " + escape(wanted.request.profile(), 80), rpc);
  if (!wanted.output.empty()) {
    if (auto written = write_named_output(wanted.output, response.yaml(), 0644); !written)
      return session.fail(written.error());
  }
  if (session.json) {
    session.print(to_json(response));
  } else {
    if (wanted.output.empty() && !wanted.apply) session.print(response.yaml());
    say_calls(session, response);
    for (const auto& capability : response.capabilities())
      session.say("adds capability " + printable(capability));
    for (const auto& call : response.left_out())
      session.say(session.err.warn("left out: ") + printable(call));
    session.warn_all(response.warnings());
    session.say("version " + std::to_string(response.version()) +
                (wanted.output.empty() ? "" : ", written to " + printable(wanted.output)) +
                ": an attacker's calls are here too, so read it before it is in force");
  }
  if (wanted.apply && response.calls().empty() && response.capabilities().empty())
    return session.refuse("profile propose: there is nothing to add, so nothing was applied",
                          kExitFailed);
  return wanted.apply ? apply(session, response.yaml()) : kExitOk;
}

}  // namespace

void add_profile_propose(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb =
      add_verb(profile, "propose",
               "Write the next version of a profile, with the calls its containers made outside");
  const auto wanted = std::make_shared<Wanted>();
  verb->footer(examples({"ward profile propose web", "ward profile propose web -o web.yaml",
                         "ward profile propose web --apply"}));
  add_value(
      *verb, "profile", [wanted](const std::string& name) { wanted->request.set_profile(name); },
      "a name from `ward profile list`")
      ->required()
      ->type_name(kProfileValue);
  add_out_option(*verb, session, [wanted](const std::string& file) { wanted->output = file; });
  add_switch(*verb, "--apply", wanted->apply, "put it in force at once, for new containers");
  verb->callback([&session, &exit_code, wanted] { exit_code = run(session, *wanted); });
}

}  // namespace ward::cli
