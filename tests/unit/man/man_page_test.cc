// SPDX-License-Identifier: Apache-2.0
#include "lib/man/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>

namespace ward::man {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

class ManPage : public testing::Test {
 protected:
  ManPage() : app_("A program of two-part words and a \\ in `some --thing`.") {
    app_.name("thing");
  }
  [[nodiscard]] std::string page(const Page& page) const {
    return page_of(app_, page, "2026-11-29");
  }
  CLI::App app_;
  std::string text_;
  int number_ = 0;
};

TEST_F(ManPage, BeginsWithItsTitleAndName) {
  EXPECT_THAT(page({"thing", 8, "does things"}),
              StartsWith(".TH THING 8 2026-11-29 \"ward " WARD_VERSION
                         "\"\n.SH NAME\nthing \\- does things\n.SH SYNOPSIS\n\\fBthing\\fR\n"));
}

TEST_F(ManPage, TextIsTextAndWhatIsTypedCanBePasted) {
  EXPECT_THAT(page({"thing", 1, ""}),
              HasSubstr("two-part words and a \\e in \\fBsome \\-\\-thing\\fR.\n"));
  app_.footer("Examples:\n  thing '*' | .sort `x` ~ ^\n  .begins");
  EXPECT_THAT(
      page({"thing", 1, ""}),
      HasSubstr(".EX\nthing \\(aq*\\(aq | .sort \\(gax\\(ga \\(ti \\(ha\n\\&.begins\n.EE\n"));
  app_.footer("");
  EXPECT_THAT(page({"thing", 1, "", false, {{"NOTES", ".so /etc/passwd", {}}}}),
              AllOf(HasSubstr(".SH NOTES\n\\&.so"), Not(HasSubstr("\n.so"))));
}

TEST_F(ManPage, AnOptionHasItsNamesValueLimitsDefaultAndVariable) {
  app_.add_option("-o,--output", text_, "the form")->check(CLI::IsMember({"text", "json"}));
  app_.add_option("--number", number_, "how many")->check(CLI::Range(3, 9));
  text_ = "/etc";
  app_.add_option("--dir", text_, "a place")->capture_default_str()->envname("DIR");
  app_.add_option("word", text_, "what")->required()->type_name("WORD");
  app_.add_option("--hidden", text_, "nobody's")->group("");
  const std::string text = page({"thing", 1, ""});
  EXPECT_THAT(text, HasSubstr(".TP\n\\fB\\-o\\fR, \\fB\\-\\-output\\fR "
                              "\\fBtext\\fR|\\fBjson\\fR\nthe form\n"));
  EXPECT_THAT(text, HasSubstr("\\fB\\-\\-number\\fR \\fIINT\\fR\nhow many\n(INT in [3 - 9])\n"));
  EXPECT_THAT(text, HasSubstr("a place\n(default: /etc)\n(environment: DIR)\n"));
  EXPECT_THAT(text, HasSubstr("[\\fB\\-\\-number\\fR \\fIINT\\fR]"));
  EXPECT_THAT(text, HasSubstr(" \\fIWORD\\fR\n.SH DESCRIPTION"));
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
}

TEST_F(ManPage, VerbsAreDescribedOrHavePagesOfTheirOwn) {
  auto* group = app_.add_subcommand("group", "a group");
  group->add_subcommand("leaf", "a leaf")->add_flag("--deep")->description("deep");
  const std::string described = page_of(*group, {"thing-group", 1, "a group"}, "2026-11-29");
  EXPECT_THAT(described, HasSubstr(".SH VERBS\n.SS thing group leaf\na leaf\n"));
  EXPECT_THAT(described, HasSubstr("\\fB\\-\\-deep\\fR\ndeep\n"));
  const std::string named = page({"thing", 1, "", true});
  EXPECT_THAT(named, HasSubstr(".TP\n\\fBthing\\-group\\fR(1)\na group\n"));
  EXPECT_THAT(named, Not(HasSubstr("deep")));
}

TEST(PageDate, CanBeFixed) {
  ::setenv("SOURCE_DATE_EPOCH", "86400", 1);
  EXPECT_EQ(page_date(), "1970-01-02");
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_THAT(page_date(), MatchesRegex("20..-..-.."));
}

}  // namespace
}  // namespace ward::man
