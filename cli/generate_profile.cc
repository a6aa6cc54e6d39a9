// SPDX-License-Identifier: Apache-2.0
#include "cli/generate_profile.h"

#include <grpcpp/client_context.h>

#include <filesystem>

#include "cli/present/json.h"
#include "cli/profile_compare.h"
#include "cli/progress.h"
#include "cli/request_text.h"
#include "lib/base/escape.h"
#include "lib/base/named_output.h"
#include "lib/base/printable.h"

namespace ward::cli {

bool is_in_the_way(const std::string& output) {
  std::error_code error;
  return std::filesystem::is_regular_file(output, error) &&
         std::filesystem::file_size(output, error) > 0;
}

int refuse_to_overwrite(Session& session, const std::string& doing, const std::string& output) {
  return session.refuse(doing + ": '" + output +
                            "' is there already, and may hold signatures and changes of people: "
                            "write to another file "
                            "and look at `ward profile diff`, or --force",
                        kExitFailed);
}

int generate_profile(Session& session, const std::string& doing,
                     const ward::v1::GenerateProfileRequest& request, const std::string& output) {
  if (const auto why = why_not_text(request))
    return session.refuse(doing + ": " + *why, kExitUsage);
  grpc::ClientContext context;
  context.set_deadline(deadline(kPatienceToCompile));
  ward::v1::GenerateProfileResponse response;
  const auto rpc = [&] {
    const Progress progress("wardd makes the profile");
    return session.api().GenerateProfile(&context, request, &response);
  }();
  if (!rpc.ok()) return session.fail(doing + " " + escape(request.workload(), 80), rpc);
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
        "  off its lines in the document (under accept, and those under syscalls), and write the "
        "reason "
        "in the place of WHY");
  }
  session.warn_all(response.warnings());
  return kExitOk;
}

}  // namespace ward::cli
