// SPDX-License-Identifier: Apache-2.0
// Every verb, option and example of the command line is in a manual page.
#include "cli/man.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/app.h"

namespace ward::cli {
namespace {

using testing::HasSubstr;

// What a reader sees and types: without fonts and with the characters themselves.
std::string plain(std::string text) {
  const std::pair<std::string, std::string> pairs[] = {
      {"\\fB", ""},   {"\\fI", ""},   {"\\fR", ""},   {"\\&", ""},    {"\\-", "-"},
      {"\\(aq", "'"}, {"\\(ga", "`"}, {"\\(ha", "^"}, {"\\(ti", "~"}, {"\\e", "\\"}};
  for (const auto& [roff, shown] : pairs) {
    for (std::size_t at = 0; (at = text.find(roff, at)) != std::string::npos; at += shown.size())
      text.replace(at, roff.size(), shown);
  }
  return text;
}

class Man : public testing::Test {
 protected:
  static std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
  }
  static std::string words_of(const CLI::App& app) {
    return (app.get_parent() == nullptr ? "" : words_of(*app.get_parent()) + " ") + app.get_name();
  }
  static void expect_described(const CLI::App& app, const std::string& page) {
    EXPECT_THAT(page, HasSubstr(words_of(app)));
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames())
        EXPECT_THAT(page, HasSubstr("--" + name)) << words_of(app);
      for (const std::string& name : option->get_snames())
        EXPECT_THAT(page, HasSubstr("\n-" + name)) << words_of(app);
    }
    std::istringstream footer(app.get_footer());
    for (std::string line; std::getline(footer, line);) {
      if (line.rfind("  ward ", 0) != 0) continue;
      EXPECT_THAT(page, HasSubstr("\n" + line.substr(2) + "\n")) << words_of(app);
    }
    for (const CLI::App* verb : verbs_of(app)) expect_described(*verb, page);
  }

  Session session_;
  int exit_code_ = 0;
  std::unique_ptr<CLI::App> app_ = make_app(session_, exit_code_);
};

TEST_F(Man, EveryVerbOptionAndExampleIsInThePageOfItsVerb) {
  for (const CLI::App* verb : verbs_of(*app_)) {
    expect_described(*verb, plain(man_page_of(*verb, "2026-11-29")));
  }
}

TEST_F(Man, WardsOwnPageNamesTheOthersAndWhatEveryVerbHas) {
  const std::string page = plain(man_page_of(*app_, "2026-11-29"));
  for (const CLI::App* verb : verbs_of(*app_)) {
    EXPECT_THAT(page, HasSubstr("\nward-" + verb->get_name() + "(1)\n" +
                                verb->get_description().substr(0, 20)));
  }
  for (const CLI::Option* option : app_->get_options()) {
    for (const std::string& name : option->get_lnames()) EXPECT_THAT(page, HasSubstr("--" + name));
  }
  for (const char* said :
       {"EXIT STATUS", "\n7\npolicy test found no rule\n", "WARD_RUN_DIR", "NO_COLOR", "wardd(8)"})
    EXPECT_THAT(page, HasSubstr(said));
}

}  // namespace
}  // namespace ward::cli
