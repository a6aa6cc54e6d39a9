// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <cstdio>

#include "cli/present/json.h"
#include "cli/present/table.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

int run(Session& session) {
  grpc::ClientContext context;
  ward::v1::ListProfilesResponse profiles;
  if (const auto rpc = session.api().ListProfiles(&context, {}, &profiles); !rpc.ok()) {
    return session.fail("profile list", rpc);
  }
  if (session.json) {
    std::puts(to_json(profiles).c_str());
    return kExitOk;
  }
  Table table({"PROFILE", "VERSION", "DIGEST", "SYSCALLS", "CAPABILITIES", "CONTAINERS", "FILE"});
  for (const auto& p : profiles.profiles()) {
    table.add({p.name(), std::to_string(p.version()), short_digest(p.digest()), std::to_string(p.syscalls()),
               std::to_string(p.capabilities()), std::to_string(p.used_by()), p.file()});
  }
  std::fputs(table.text(session.out).c_str(), stdout);
  return kExitOk;
}

}  // namespace

void add_profile_list(CLI::App& profile, Session& session, int& exit_code) {
  profile.add_subcommand("list", "Profiles in force on this node")->callback([&] { exit_code = run(session); });
}

}  // namespace ward::cli
