// SPDX-License-Identifier: Apache-2.0
// Needs no wardd: a file says all of it.
#include "cli/options.h"
#include "profiles/explain.h"

#include <memory>

#include "cli/app.h"
#include "cli/present/json.h"
#include "cli/present/json_text.h"
#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/json/json.h"
#include "profiles/words.h"

namespace ward::cli {
namespace {

nlohmann::ordered_json to_json(const profiles::Explanation& e) {
  nlohmann::ordered_json allowed = nlohmann::ordered_json::array();
  for (const profiles::Allowance& one : e.allowed)
    allowed.push_back(
        {{"layer", layer_name(one.layer)}, {"arguments", one.arguments}, {"sources", one.sources}});
  return {{"schema", schema("Explanation")},
          {"call", e.syscall},
          {"verdict", e.verdict},
          {"allowed", allowed},
          {"class", e.harm},
          {"posture_allows", e.posture_allows},
          {"posture_lets_run", e.posture_lets_run},
          {"own_numbers", e.own_numbers},
          {"danger", e.danger},
          {"signature", e.signature},
          {"refused", e.refused},
          {"docker", e.in_docker_default},
          {"family", e.family}};
}

int run(Session& session, const std::string& path, const std::vector<std::string>& calls) {
  const auto profile = read_profile_file(path);
  if (!profile) return session.fail(profile.error());
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::string text;
  for (const std::string& call : calls) {
    const auto explanation = profiles::explain(*profile, call);
    if (!explanation) return session.fail(explanation.error());
    all.push_back(to_json(*explanation));
    text += (text.empty() ? "" : "\n") + format_explanation(*explanation);
  }
  session.print(session.json ? json_text(all) : text);
  return kExitOk;
}

}  // namespace

void add_profile_explain(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb =
      add_verb(profile, "explain", "Is a call allowed, where, and why? Of a file; needs no wardd");
  const auto path = std::make_shared<std::string>();
  const auto calls = std::make_shared<std::vector<std::string>>();
  verb->footer(examples({"ward profile explain web.yaml connect",
                         "ward profile explain web.yaml kill mkdir -o json"}));
  add_value(*verb, "file", *path, "profile YAML, - for standard input")
      ->required()
      ->type_name(kFileValue);
  add_value(*verb, "calls", *calls, "names such as openat")->required();
  verb->callback([&session, &exit_code, path, calls] { exit_code = run(session, *path, *calls); });
}

}  // namespace ward::cli
