// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/present/table.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

void print(Session& session, const ward::v1::ListProfilesResponse& profiles) {
  Table table({"PROFILE", "VERSION", "DIGEST", "SYSCALLS", "CAPABILITIES", "CONTAINERS", "FILE"});
  for (const auto& p : profiles.profiles()) {
    table.add({p.name(), std::to_string(p.version()), short_digest(p.digest()),
               std::to_string(p.syscalls()), std::to_string(p.capabilities()),
               std::to_string(p.used_by()), p.file()});
  }
  session.print(table.text(session.out));
}

int run(Session& session) {
  return ask(session, "profile list", &ward::v1::Ward::Stub::ListProfiles, {},
             [&](const auto& profiles) { print(session, profiles); });
}

}  // namespace

void add_profile_list(CLI::App& profile, Session& session, int& exit_code) {
  add_verb(profile, "list", "Profiles in force on this node")
      ->footer(examples({"ward profile list", "ward profile list -o json"}))
      ->callback([&] { exit_code = run(session); });
}

}  // namespace ward::cli
