// SPDX-License-Identifier: Apache-2.0
// The verbs of `ward`, one file each. An adder declares its options and what to run; the exit code
// goes to `exit_code`.
#pragma once

#include "cli/options.h"

#include "cli/session.h"

namespace ward::cli {

void add_status(CLI::App& app, Session& session, int& exit_code);
void add_ps(CLI::App& app, Session& session, int& exit_code);
void add_events(CLI::App& app, Session& session, int& exit_code);
void add_incident(CLI::App& app, Session& session, int& exit_code);
void add_view(CLI::App& app, Session& session, int& exit_code);
void add_applied(CLI::App& app, Session& session, int& exit_code);
void add_why(CLI::App& app, Session& session, int& exit_code);
void add_learn(CLI::App& app, Session& session, int& exit_code);
void add_learn_watch(CLI::App& learn, Session& session, int& exit_code);
void add_record(CLI::App& app, Session& session, int& exit_code);
void add_quarantine(CLI::App& app, Session& session, int& exit_code);
void add_policy(CLI::App& app, Session& session, int& exit_code);
void add_amend(CLI::App& app, Session& session, int& exit_code);
void add_mode(CLI::App& app, Session& session, int& exit_code);
void add_node(CLI::App& app, Session& session, int& exit_code);
void add_completion(CLI::App& app, Session& session);
void add_man(CLI::App& app, Session& session, int& exit_code);
void add_syscalls(CLI::App& app, Session& session, int& exit_code);
void add_profile(CLI::App& app, Session& session, int& exit_code);  // declares those below

void add_profile_list(CLI::App& profile, Session& session, int& exit_code);
void add_profile_show(CLI::App& profile, Session& session, int& exit_code);
void add_profile_generate(CLI::App& profile, Session& session, int& exit_code);
void add_profile_simulate(CLI::App& profile, Session& session, int& exit_code);
void add_profile_propose(CLI::App& profile, Session& session, int& exit_code);
void add_profile_apply(CLI::App& profile, Session& session, int& exit_code);
void add_profile_lint(CLI::App& profile, Session& session, int& exit_code);
void add_profile_diff(CLI::App& profile, Session& session, int& exit_code);
void add_profile_explain(CLI::App& profile, Session& session, int& exit_code);
void add_profile_compile(CLI::App& profile, Session& session, int& exit_code);

}  // namespace ward::cli
