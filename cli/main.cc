// SPDX-License-Identifier: Apache-2.0
// `ward`: the command line of a node's wardd, and of profiles as files (lint, diff and compile need
// no wardd).
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <sstream>

#include "cli/app.h"
#include "cli/completion.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/base/standard_streams.h"

namespace {

using ward::cli::Session;

// Looks at the words themselves: the command line may not have been understood as a whole.
bool asks_for_json(int argc, char** argv) {
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
    if (word == "-ojson" || word == "--output=json") json = true;
    if ((word == "-o" || word == "--output") && (next == "json" || next == "text"))
      json = next == "json";
  }
  return json;
}

int wrong_command_line(const CLI::App& app, const CLI::ParseError& error, Session& session) {
  const auto words = app.remaining(true);
  // CLI11 would only say that a verb is required, also for one that is misspelt.
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !words.empty()) {
    return session.refuse("no verb '" + ward::escape(words.front()) + "' here: see --help",
                          ward::cli::kExitUsage);
  }
  if (session.json) return session.refuse(error.what(), ward::cli::kExitUsage);
  std::ostringstream out;
  std::ostringstream err;
  app.exit(error, out, err);
  std::fputs(ward::printable(err.str()).c_str(), stderr);
  return ward::cli::kExitUsage;
}

int run(int argc, char** argv, Session& session) {
  int exit_code = ward::cli::kExitOk;
  const auto tree = ward::cli::make_app(session, exit_code);
  CLI::App& app = *tree;
  // For the shells; what stands behind it may be half a word, so it is not parsed.
  if (argc > 1 && std::string_view(argv[1]) == ward::cli::kCompleteVerb) {
    ward::cli::print_candidates(app, {argv + 2, argv + argc}, session);
    return exit_code;
  }
  session.json = asks_for_json(argc, argv);
  char** const dashes = std::find(argv, argv + argc, std::string_view("--"));
  if (dashes != argv + argc)
    session.behind_dashes = static_cast<std::size_t>(argv + argc - dashes - 1);
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
