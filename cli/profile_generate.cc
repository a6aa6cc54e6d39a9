// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <cstdio>
#include <memory>

#include "cli/present/json.h"
#include "cli/profile_compare.h"
#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/named_output.h"

namespace ward::cli {
namespace {

int run(Session& session, const ward::v1::GenerateProfileRequest& request, const std::string& output) {
  grpc::ClientContext context;
  context.set_deadline(deadline(kPatienceToCompile));
  ward::v1::GenerateProfileResponse response;
  if (const auto rpc = session.api().GenerateProfile(&context, request, &response); !rpc.ok()) {
    return session.fail("profile generate " + request.workload(), rpc);
  }
  if (!output.empty()) {
    if (auto written = write_named_output(output, response.yaml(), 0644); !written)
      return session.fail(written.error());
  }
  if (session.json) {
    std::puts(to_json(response).c_str());
    return kExitOk;
  }
  if (output.empty()) std::fputs(response.yaml().c_str(), stdout);
  // Everything else goes to standard error, so that the document alone can be redirected.
  const Style& style = session.err;
  if (!output.empty()) std::fprintf(stderr, "wrote %s: ", output.c_str());
  std::fprintf(stderr, "%u syscalls, %u capabilities\n%s", response.syscalls(), response.capabilities(),
               comparison_with_docker(response.yaml()).c_str());
  for (const auto& call : response.left_out()) {
    std::fprintf(stderr, "%s%s\n", style.warn("left out: ").c_str(), escape(call, 500).c_str());
  }
  if (response.left_out_size() > 0) {
    std::fputs(
        "  these belong to the danger set, or came with it: learning alone never allows them. To allow one, take the "
        "`# `\n"
        "  off its lines in the document (under syscalls and under accept), and write the reason in the place of WHY\n",
        stderr);
  }
  for (const auto& warning : response.warnings()) {
    std::fprintf(stderr, "%s%s\n", style.warn("warning: ").c_str(), escape(warning, 500).c_str());
  }
  return kExitOk;
}

}  // namespace

void add_profile_generate(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = profile.add_subcommand("generate", "Write the profile of a recorded workload, ready for review in git");
  const auto request = std::make_shared<ward::v1::GenerateProfileRequest>();
  // -o is the file here, as in compilers; the global --output keeps its long name.
  const auto output = std::make_shared<std::string>();
  verb->add_option_function<std::string>(
          "workload", [request](const std::string& w) { request->set_workload(w); }, "a name from `ward learn list`")
      ->required();
  verb->add_option("-o,--out", *output, "where to write it; standard output without");
  verb->add_option_function<std::string>(
      "--name", [request](const std::string& n) { request->set_name(n); },
      "the profile's name; the workload's without");
  verb->add_option_function<std::uint64_t>(
      "--profile-version", [request](std::uint64_t v) { request->set_version(v); },
      "one above the highest seen without");
  verb->add_flag_callback(
      "--allow-lossy", [request] { request->set_allow_lossy(true); },
      "also from a recording that lost events (the profile may lack calls)");
  verb->callback([&session, &exit_code, request, output] { exit_code = run(session, *request, *output); });
}

}  // namespace ward::cli
