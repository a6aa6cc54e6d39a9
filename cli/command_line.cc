// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <sstream>

#include "cli/app.h"
#include "cli/completion.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

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
    return session.refuse("no verb '" + escape(words.front()) + "' here: see --help", kExitUsage);
  }
  if (session.json) return session.refuse(error.what(), kExitUsage);
  std::ostringstream out;
  std::ostringstream err;
  app.exit(error, out, err);
  std::fputs(printable(err.str()).c_str(), stderr);
  return kExitUsage;
}

int run(int argc, char** argv, Session& session) {
  int exit_code = kExitOk;
  const auto tree = make_app(session, exit_code);
  CLI::App& app = *tree;
  // For the shells; what stands behind it may be half a word, so it is not parsed.
  if (argc > 1 && std::string_view(argv[1]) == kCompleteVerb) {
    print_candidates(app, {argv + 2, argv + argc}, session);
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

int run(int argc, char** argv) {
  try {
    Session session;
    const int exit_code = run(argc, argv, session);
    // What was cut short is no answer, whatever it was.
    if (auto written = session.output.close(); !written) return session.fail(written.error());
    return exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ward: %s\n", error.what());
    return kExitFailed;
  }
}

}  // namespace ward::cli
