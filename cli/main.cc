// SPDX-License-Identifier: Apache-2.0
// `ward`: the command line of a node's wardd, and of profiles as files (lint, diff and compile need no wardd).
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <sstream>

#include "cli/present/json_text.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/base/standard_streams.h"

namespace {

using ward::cli::Session;

constexpr const char* kFooter = R"(
Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 wardd does not answer,
            4 a file is not a valid profile or policy, 5 `profile diff` found differences,
            6 `status` shows a problem, 7 `policy test` found no rule.
A node's places: WARD_CONFIG_DIR (/etc/ward), WARD_STATE_DIR (/var/lib/ward), WARD_RUN_DIR (/run/ward).
Colours only on a terminal; NO_COLOR turns them off. What the JSON holds: docs/json.md.)";

// Looks at the words themselves: the command line may not have been understood as a whole.
bool asks_for_json(int argc, char** argv) {
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "-ojson" || word == "--output=json") json = true;
    if ((word == "-o" || word == "--output") && (next == "json" || next == "text")) json = next == "json";
  }
  return json;
}

int wrong_command_line(const CLI::App& app, const CLI::ParseError& error, Session& session) {
  const auto words = app.remaining(true);
  // CLI11 would only say that a verb is required, also for one that is misspelt.
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !words.empty()) {
    return session.refuse("no verb '" + ward::escape(words.front()) + "' here: see --help", ward::cli::kExitUsage);
  }
  if (session.json) return session.refuse(error.what(), ward::cli::kExitUsage);
  std::ostringstream out;
  std::ostringstream err;
  app.exit(error, out, err);
  std::fputs(ward::printable(err.str()).c_str(), stderr);
  return ward::cli::kExitUsage;
}

// `ward help profile lint` is `ward profile lint --help`.
void add_help(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = app.add_subcommand("help", "What a verb does and takes");
  const auto words = std::make_shared<std::vector<std::string>>();
  verb->add_option("verb", *words, "a verb, with those below it");
  verb->callback([&app, &session, &exit_code, words] {
    const CLI::App* of = &app;
    std::string above;
    for (const std::string& word : *words) {
      const auto below = of->get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
      if (below.empty()) {
        exit_code = session.refuse("no verb '" + ward::escape(word) + "' here: see `ward help`", ward::cli::kExitUsage);
        return;
      }
      above += (above.empty() ? "" : " ") + of->get_name();
      of = below.front();
    }
    // Not CLI::App::help(), which goes on to the verb that was given: this one.
    const std::string name = (above.empty() ? "" : above + " ") + of->get_name();
    session.print(of->get_formatter()->make_help(of, name, CLI::AppFormatMode::Normal));
  });
}

void add_version(CLI::App& app, Session& session) {
  app.add_subcommand("version", "The version of this program; `ward status` shows wardd's")->callback([&session] {
    const nlohmann::ordered_json document = {{"schema", ward::cli::schema("Version")}, {"version", WARD_VERSION}};
    session.print(session.json ? ward::cli::json_text(document) : "ward " WARD_VERSION "\n");
  });
}

int run(int argc, char** argv, Session& session) {
  int exit_code = ward::cli::kExitOk;
  CLI::App app{"Ward: learn what a container does, enforce it, contain what breaks it."};
  app.name("ward");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("-v,--version", std::string("ward ") + WARD_VERSION);
  session.json = asks_for_json(argc, argv);
  app.add_option_function<std::string>(
         "-o,--output", [&session](const std::string& form) { session.json = form == "json"; },
         "text, or json for programs; also behind a verb")
      ->check(CLI::IsMember({"text", "json"}))
      ->take_last();
  std::string run_dir;
  app.add_option("--run-dir", run_dir, "where wardd's socket is (WARD_RUN_DIR)");
  app.parse_complete_callback([&] {
    if (!run_dir.empty()) session.places.run = run_dir;
  });
  ward::cli::add_status(app, session, exit_code);
  ward::cli::add_ps(app, session, exit_code);
  ward::cli::add_events(app, session, exit_code);
  ward::cli::add_learn(app, session, exit_code);
  ward::cli::add_profile(app, session, exit_code);
  ward::cli::add_policy(app, session, exit_code);
  ward::cli::add_quarantine(app, session, exit_code);
  ward::cli::add_mode(app, session, exit_code);
  ward::cli::add_syscalls(app, session, exit_code);
  add_help(app, session, exit_code);
  add_version(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream text;
    app.exit(asked, text, text);
    session.print(text.str());
  } catch (const CLI::ParseError& error) {
    exit_code = wrong_command_line(app, error, session);
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  ward::open_standard_streams();
  // A reader that goes away (`ward events -f | head`) ends us silently, as it does any filter.
  std::signal(SIGPIPE, SIG_DFL);
  try {
    Session session;
    const int exit_code = run(argc, argv, session);
    // What was cut short is no answer, whatever it was.
    if (auto written = session.output.close(); !written) return session.fail(written.error());
    return exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ward: %s\n", error.what());
    return ward::cli::kExitFailed;
  }
}
