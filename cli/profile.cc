// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"
#include "cli/options.h"
#include "cli/verbs.h"

namespace ward::cli {

void add_profile(CLI::App& app, Session& session, int& exit_code) {
  auto* profile =
      add_verb(app, "profile", "Profiles: from a recording to what is in force (security as code)");
  profile->require_subcommand(1);
  profile->footer(examples({"ward profile list", "ward help profile generate"}));
  add_profile_list(*profile, session, exit_code);
  add_profile_show(*profile, session, exit_code);
  add_profile_generate(*profile, session, exit_code);
  add_profile_propose(*profile, session, exit_code);
  add_profile_simulate(*profile, session, exit_code);
  add_profile_apply(*profile, session, exit_code);
  add_profile_lint(*profile, session, exit_code);
  add_profile_diff(*profile, session, exit_code);
  add_profile_explain(*profile, session, exit_code);
  add_profile_compile(*profile, session, exit_code);
}

}  // namespace ward::cli
