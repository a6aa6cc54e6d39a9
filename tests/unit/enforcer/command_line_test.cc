// SPDX-License-Identifier: Apache-2.0
#include "enforcer/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ward::enforcer {
namespace {

using testing::HasSubstr;

TEST(CommandLine, EveryOptionIsInTheManualPage) {
  CommandLine asked;
  const auto app = make_app(asked);
  const std::string page = man_page_of(*app, "2026-11-29");
  for (const CLI::Option* option : app->get_options()) {
    for (std::string name : option->get_lnames()) {
      for (std::size_t at = 0; (at = name.find('-', at)) != std::string::npos; at += 2)
        name.insert(at, "\\");
      EXPECT_THAT(page, HasSubstr("\\fB\\-\\-" + name + "\\fR"));
    }
  }
  for (const char* said : {".TH WARDD 8 ", "SIGHUP", "NOTIFY_SOCKET", "another wardd serves"})
    EXPECT_THAT(page, HasSubstr(said));
}

TEST(CommandLine, IsWhatIsTyped) {
  CommandLine asked;
  const auto app = make_app(asked);
  app->parse("--state-dir /tmp/s --ready-fd 3 -v");
  EXPECT_EQ(asked.places.state, "/tmp/s");
  EXPECT_EQ(asked.ready_fd, 3);
  EXPECT_TRUE(asked.verbose);
  EXPECT_FALSE(asked.man);
  EXPECT_THROW(app->parse("--ready-fd 2"), CLI::ParseError);
}

}  // namespace
}  // namespace ward::enforcer
