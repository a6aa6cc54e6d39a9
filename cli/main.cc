// SPDX-License-Identifier: Apache-2.0
// `ward`: the command line of a node's wardd, and of profiles as files (lint, diff and compile need no wardd).
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

#include "cli/session.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"

namespace {

constexpr const char* kFooter = R"(
Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 wardd does not answer,
            4 a file is not a valid profile or policy, 5 `profile diff` found differences.
A node's places: WARD_CONFIG_DIR (/etc/ward), WARD_STATE_DIR (/var/lib/ward), WARD_RUN_DIR (/run/ward).
Colours only on a terminal; NO_COLOR turns them off.)";

int wrong_command_line(const CLI::App& app, const CLI::ParseError& error, const ward::cli::Session& session) {
  const auto words = app.remaining(true);
  // CLI11 would only say that a verb is required, also for one that is misspelt.
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !words.empty()) {
    return session.refuse("no verb '" + ward::escape(words.front()) + "' here: see --help", ward::cli::kExitUsage);
  }
  if (session.json) return session.refuse(error.what(), ward::cli::kExitUsage);
  app.exit(error);
  return ward::cli::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away (`ward events -f | head`) ends us silently, as it does any filter.
  std::signal(SIGPIPE, SIG_DFL);
  try {
    ward::cli::Session session;
    int exit_code = ward::cli::kExitOk;
    CLI::App app{"Ward: learn what a container does, enforce it, contain what breaks it."};
    app.name("ward");
    app.footer(kFooter);
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("-v,--version", std::string("ward ") + WARD_VERSION);
    std::string output = "text";
    const CLI::Option* form =
        app.add_option("--output", output, "text, or json for programs")->check(CLI::IsMember({"text", "json"}));
    std::string run_dir;
    app.add_option("--run-dir", run_dir, "where wardd's socket is (WARD_RUN_DIR)");
    app.parse_complete_callback([&] {
      session.json = output == "json";
      if (!run_dir.empty()) session.places.run = run_dir;
    });
    ward::cli::add_status(app, session, exit_code);
    ward::cli::add_ps(app, session, exit_code);
    ward::cli::add_events(app, session, exit_code);
    ward::cli::add_learn(app, session, exit_code);
    ward::cli::add_profile(app, session, exit_code);
    ward::cli::add_quarantine(app, session, exit_code);
    ward::cli::add_syscalls(app, session, exit_code);
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& help) {
      return app.exit(help);
    } catch (const CLI::ParseError& error) {
      session.json = !form->results().empty() && form->results().back() == "json";
      return wrong_command_line(app, error, session);
    }
    if (std::fflush(stdout) != 0) return session.fail(ward::fail_errno("write to standard output").value());
    return exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ward: %s\n", error.what());
    return ward::cli::kExitFailed;
  }
}
