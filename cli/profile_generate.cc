// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/generate_profile.h"
#include "cli/options.h"
#include "cli/out_option.h"
#include "cli/verbs.h"
#include "profiles/words.h"

namespace ward::cli {

void add_profile_generate(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = add_verb(profile, "generate",
                        "Write the profile of a recorded workload, ready for review in git");
  const auto request = std::make_shared<ward::v1::GenerateProfileRequest>();
  verb->footer(examples(
      {"ward profile generate web", "ward profile generate web -o web.yaml",
       "ward profile generate web --name shop-web --profile-version 8 -o web.yaml --force"}));
  const auto output = std::make_shared<std::string>();
  add_value(
      *verb, "workload", [request](const std::string& w) { request->set_workload(w); },
      "a name from `ward learn list`")
      ->required()
      ->type_name(kWorkloadValue);
  add_out_option(*verb, session, [output](const std::string& file) { *output = file; });
  const auto force = std::make_shared<bool>(false);
  add_switch(*verb, "--force", *force, "also over a file that is there already");
  add_value(
      *verb, "--name", [request](const std::string& n) { request->set_name(n); },
      "the profile's name; the workload's without");
  add_value(
      *verb, "--profile-version", [request](std::uint64_t v) { request->set_version(v); },
      "one above the highest seen without");
  add_switch(
      *verb, "--allow-lossy", [request] { request->set_allow_lossy(true); },
      "also from a recording that lost events (the profile may lack calls)");
  add_switch(
      *verb, "--allow-mixed", [request] { request->set_allow_mixed(true); },
      "also from runs of different images or namespaces");
  add_value(
      *verb, "--posture", [request](const std::string& p) { request->set_posture(p); },
      "what calls that are not listed are met with: strict acts on all; balanced, the default, "
      "lets run what harms nobody; lenient lets run all but the danger set "
      "(docs/harm-classes.md)")
      ->check(one_of(std::vector<std::string>(profiles::posture_names().begin(),
                                              profiles::posture_names().end())))
      ->type_name("POSTURE");
  verb->callback([&session, &exit_code, request, output, force] {
    const std::string doing = "profile generate";
    exit_code = is_in_the_way(*output) && !*force
                    ? refuse_to_overwrite(session, doing, *output)
                    : generate_profile(session, doing, *request, *output);
  });
}

}  // namespace ward::cli
