// SPDX-License-Identifier: Apache-2.0
#include "cli/apply_profile.h"

#include <grpcpp/client_context.h>

#include "cli/app.h"
#include "cli/progress.h"

namespace ward::cli {

std::optional<ward::v1::ApplyProfileResponse> apply_profile(
    Session& session, const ward::v1::ApplyProfileRequest& request, const std::string& verb,
    int& exit_code) {
  grpc::ClientContext context;
  context.set_deadline(deadline(kPatienceToCompile));
  ward::v1::ApplyProfileResponse response;
  const auto rpc = [&] {
    const Progress progress("wardd checks and compiles");
    return session.api().ApplyProfile(&context, request, &response);
  }();
  if (rpc.ok()) return response;
  exit_code = session.fail(verb, rpc);
  return std::nullopt;
}

std::string applied_text(const ward::v1::ApplyProfileResponse& response, bool dry_run) {
  const auto& p = response.profile();
  return "profile " + p.name() + " version " + std::to_string(p.version()) + " " +
         (dry_run                ? "would be applied"
          : response.unchanged() ? "is in force already"
                                 : "is in force for new containers") +
         ": " + std::to_string(p.syscalls()) + " syscalls, " + std::to_string(p.capabilities()) +
         " capabilities, digest " + short_digest(p.digest());
}

std::string running_text(const ward::v1::ApplyProfileResponse& response) {
  const std::uint32_t running = response.running();
  if (running == 0) return "";
  return std::to_string(running) + (running == 1 ? " running container" : " running containers") +
         " may do what it allows from now on; what it takes away waits for the next start";
}

}  // namespace ward::cli
