// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"
#include "cli/options.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/evidence.h"
#include "cli/present/json_text.h"
#include "cli/verbs.h"
#include "lib/base/commit.h"
#include "lib/base/escape.h"

namespace ward::cli {
namespace {

constexpr std::size_t kFooterWidth = 91;

// "Title: a, b, c." in lines that are indented to the title's end.
std::string listed(const std::string& title, const std::vector<std::string>& parts) {
  std::string text;
  std::string line = title;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part = " " + parts[i] + (i + 1 == parts.size() ? "." : ",");
    if (line.size() + part.size() > kFooterWidth) {
      text += line + "\n";
      line = std::string(title.size(), ' ');
    }
    line += part;
  }
  return text + line + "\n";
}

std::string footer() {
  std::vector<std::string> codes;
  codes.reserve(std::size(kExitCodes));
  for (const auto& [code, meaning] : kExitCodes)
    codes.push_back(std::to_string(code) + " " + meaning);
  std::vector<std::string> places;
  places.reserve(std::size(kPlaceVariables));
  for (const auto& [variable, place, what] : kPlaceVariables)
    places.push_back(std::string(variable) + " (" + place + ")");
  return "\n" + listed("Exit codes:", codes) + listed("A node's places:", places) +
         "Colours only on a terminal; NO_COLOR turns them off. What the JSON holds: docs/json.md.";
}

// `ward help profile lint` is `ward profile lint --help`.
void add_help(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(app, "help", "What a verb does and takes");
  verb->footer(examples({"ward help profile lint"}));
  const auto words = std::make_shared<std::vector<std::string>>();
  add_value(*verb, "verb", *words, "a verb, with those below it")->type_name(kVerbValue);
  verb->callback([&app, &session, &exit_code, words] {
    const CLI::App* of = &app;
    std::string above;
    for (const std::string& word : *words) {
      const auto below =
          of->get_subcommands([&](const CLI::App* one) { return one->get_name() == word; });
      if (below.empty()) {
        exit_code =
            session.refuse("no verb '" + escape(word) + "' here: see `ward help`", kExitUsage);
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

std::string version_line() { return std::string("ward " WARD_VERSION " (") + commit() + ")"; }

void add_version(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "version", "The version of this program; `ward status` shows wardd's");
  verb->footer(examples({"ward version", "ward version -o json"}));
  verb->callback([&session] {
    const nlohmann::ordered_json document = {
        {"schema", schema("Version")}, {"version", WARD_VERSION}, {"commit", commit()}};
    session.print(session.json ? json_text(document) : version_line() + "\n");
  });
}

}  // namespace

std::string examples(std::initializer_list<const char*> lines) {
  std::string text = man::kExamples;
  for (const char* line : lines) text += "\n  " + std::string(line);
  return text;
}

std::unique_ptr<CLI::App> make_app(Session& session, int& exit_code) {
  auto app = std::make_unique<CLI::App>("Ward: " + std::string(kAbout) + ".");
  app->name("ward");
  app->footer(footer());
  app->require_subcommand(1);
  app->fallthrough();
  app->set_version_flag("-v,--version", version_line());
  add_value(
      *app, "-o,--output", [&session](const std::string& form) { session.json = form == "json"; },
      "text, or json for programs; also behind a verb")
      ->check(one_of({"text", "json"}))
      ->take_last();
  const auto run_dir = std::make_shared<std::string>();
  add_value(*app, "--run-dir", *run_dir, "where wardd's socket is (WARD_RUN_DIR)")
      ->type_name(kFileValue);
  app->parse_complete_callback([&session, run_dir] {
    if (!run_dir->empty()) session.places.run = *run_dir;
  });
  add_status(*app, session, exit_code);
  add_ps(*app, session, exit_code);
  add_events(*app, session, exit_code);
  add_incident(*app, session, exit_code);
  add_why(*app, session, exit_code);
  add_applied(*app, session, exit_code);
  add_view(*app, session, exit_code);
  add_evidence(*app, session, exit_code);
  add_record(*app, session, exit_code);
  add_learn(*app, session, exit_code);
  add_profile(*app, session, exit_code);
  add_policy(*app, session, exit_code);
  add_amend(*app, session, exit_code);
  add_quarantine(*app, session, exit_code);
  add_mode(*app, session, exit_code);
  add_syscalls(*app, session, exit_code);
  add_node(*app, session, exit_code);
  add_completion(*app, session);
  add_help(*app, session, exit_code);
  add_man(*app, session, exit_code);
  add_version(*app, session);
  return app;
}

}  // namespace ward::cli
