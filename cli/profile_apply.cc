// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/apply_profile.h"
#include "cli/options.h"
#include "cli/present/json.h"
#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

int run(Session& session, const std::string& path, ward::v1::ApplyProfileRequest request) {
  if (auto put = put_profile(path, request); !put) return session.fail(put.error());
  int refused = kExitOk;
  const auto response = apply_profile(session, request, "profile apply", refused);
  if (!response) return refused;
  if (session.json) {
    session.print(to_json(*response));
    return kExitOk;
  }
  session.warn_all(response->warnings());
  session.print(applied_text(*response, request.dry_run()) + "\n");
  if (const auto running = running_text(*response); !running.empty()) session.print(running + "\n");
  if (!response->coverage().empty())
    session.print("coverage: " + printable(response->coverage()) + "\n");
  return kExitOk;
}

}  // namespace

void add_profile_apply(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb =
      add_verb(profile, "apply", "Put a profile in force on this node; a bad file changes nothing");
  const auto path = std::make_shared<std::string>();
  const auto request = std::make_shared<ward::v1::ApplyProfileRequest>();
  verb->footer(examples({"ward profile apply --dry-run web.yaml", "ward profile apply web.yaml"}));
  add_value(*verb, "file", *path, "profile YAML, - for standard input")
      ->required()
      ->type_name(kFileValue);
  add_switch(
      *verb, "--rollback", [request] { request->set_rollback(true); },
      "allow a version below the highest one seen");
  add_switch(
      *verb, "--insist", [request] { request->set_insist(true); },
      "although a policy asks for more recordings before it enforces (enforceAfter)");
  add_switch(
      *verb, "--dry-run", [request] { request->set_dry_run(true); },
      "check everything, change nothing");
  verb->callback(
      [&session, &exit_code, path, request] { exit_code = run(session, *path, *request); });
}

}  // namespace ward::cli
