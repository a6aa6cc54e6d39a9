// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/out_option.h"
#include "cli/present/json.h"
#include "cli/profile_compare.h"
#include "cli/profile_file.h"
#include "cli/request_text.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/named_output.h"
#include "lib/base/printable.h"
#include "profiles/words.h"

namespace ward::cli {
namespace {

// A device, a pipe or an empty file has nothing to lose.
bool is_in_the_way(const std::string& output) {
  std::error_code error;
  return std::filesystem::is_regular_file(output, error) &&
         std::filesystem::file_size(output, error) > 0;
}

int refuse_to_overwrite(Session& session, const std::string& output) {
  return session.refuse("profile generate: '" + output +
                            "' is there already, and may hold signatures and changes of people: "
                            "write to another file "
                            "and look at `ward profile diff`, or --force",
                        kExitFailed);
}

int run(Session& session, const ward::v1::GenerateProfileRequest& request,
        const std::string& output) {
  if (const auto why = why_not_text(request))
    return session.refuse("profile generate: " + *why, kExitUsage);
  grpc::ClientContext context;
  context.set_deadline(deadline(kPatienceToCompile));
  ward::v1::GenerateProfileResponse response;
  if (const auto rpc = session.api().GenerateProfile(&context, request, &response); !rpc.ok()) {
    return session.fail("profile generate " + escape(request.workload(), 80), rpc);
  }
  if (!output.empty()) {
    if (auto written = write_named_output(output, response.yaml(), 0644); !written)
      return session.fail(written.error());
  }
  if (session.json) {
    session.print(to_json(response));
    return kExitOk;
  }
  if (output.empty()) session.print(response.yaml());
  // Everything else goes to standard error, so that the document alone can be redirected.
  session.say((output.empty() ? "" : "wrote " + printable(output) + ": ") +
              std::to_string(response.syscalls()) + " syscalls, " +
              std::to_string(response.capabilities()) + " capabilities");
  if (const auto compared = comparison_with_docker(response.yaml()); !compared.empty())
    session.say(compared);
  session.say("coverage: " + printable(response.coverage()));
  for (const auto& what : response.not_exercised())
    session.say("  not exercised: " + printable(what));
  for (const auto& call : response.left_out())
    session.say(session.err.warn("left out: ") + printable(call));
  if (response.left_out_size() > 0) {
    session.say(
        "  these belong to the danger set, or came with it: learning alone never allows them. To "
        "allow one, take the "
        "`# `\n"
        "  off its lines in the document (under syscalls and under accept), and write the reason "
        "in the place of WHY");
  }
  session.warn_all(response.warnings());
  return kExitOk;
}

}  // namespace

void add_profile_generate(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = profile.add_subcommand(
      "generate", "Write the profile of a recorded workload, ready for review in git");
  const auto request = std::make_shared<ward::v1::GenerateProfileRequest>();
  verb->footer(examples(
      {"ward profile generate web", "ward profile generate web -o web.yaml",
       "ward profile generate web --name shop-web --profile-version 8 -o web.yaml --force"}));
  const auto output = std::make_shared<std::string>();
  verb->add_option_function<std::string>(
          "workload", [request](const std::string& w) { request->set_workload(w); },
          "a name from `ward learn list`")
      ->required()
      ->type_name(kWorkloadValue);
  add_out_option(*verb, session, [output](const std::string& file) { *output = file; });
  const auto force = std::make_shared<bool>(false);
  verb->add_flag("--force", *force, "also over a file that is there already");
  verb->add_option_function<std::string>(
      "--name", [request](const std::string& n) { request->set_name(n); },
      "the profile's name; the workload's without");
  verb->add_option_function<std::uint64_t>(
      "--profile-version", [request](std::uint64_t v) { request->set_version(v); },
      "one above the highest seen without");
  verb->add_flag_callback(
      "--allow-lossy", [request] { request->set_allow_lossy(true); },
      "also from a recording that lost events (the profile may lack calls)");
  verb->add_flag_callback(
      "--allow-mixed", [request] { request->set_allow_mixed(true); },
      "also from runs of different images or namespaces");
  verb->add_option_function<std::string>(
          "--posture", [request](const std::string& p) { request->set_posture(p); },
          "what calls that are not listed are met with: strict acts on all; balanced, the default, "
          "lets run what harms nobody (docs/harm-classes.md)")
      ->check(CLI::IsMember(std::vector<std::string>(profiles::posture_names().begin(),
                                                     profiles::posture_names().end())))
      ->type_name("POSTURE");
  verb->callback([&session, &exit_code, request, output, force] {
    exit_code = is_in_the_way(*output) && !*force ? refuse_to_overwrite(session, *output)
                                                  : run(session, *request, *output);
  });
}

}  // namespace ward::cli
