// SPDX-License-Identifier: Apache-2.0
#include "cli/present/harm_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/json/json.h"

namespace ward::cli {
namespace {

using profiles::HarmClass;
using ::testing::HasSubstr;
using ::testing::Not;

const Style kPlain{-1};

TEST(HarmText, ACallIsShownWithEachOfItsValuesAndWhatIsLeft) {
  const std::string text = harm_details(select_harm({{"kill"}, std::nullopt, false}), kPlain);
  EXPECT_THAT(
      text,
      HasSubstr(
          "kill (62), any other arguments: reach\n    why       a signal to another process\n"));
  EXPECT_THAT(text,
              HasSubstr("kill (62): self\n    where     argument 0 is the caller's own number\n"));
  EXPECT_THAT(text, HasSubstr("kill (62): held\n    where     argument 0 is 0\n"));
  EXPECT_THAT(text, HasSubstr("    gate      CAP_KILL\n    Docker    allow\n    systemd   "
                              "@process\n    sources   man\n"));
}

TEST(HarmText, HolesBelowReachAreListedWithReasonAndSources) {
  for (const HarmClass harm : {HarmClass::kSelf, HarmClass::kHeld}) {
    const auto entries = select_harm({{}, harm, true});
    EXPECT_FALSE(entries.empty());
    for (const HarmEntry& entry : entries) {
      EXPECT_EQ(entry.harm(), harm);
      EXPECT_FALSE(entry.reason().opens.empty());
      EXPECT_EQ(entry.reason().docker, "allow");
    }
  }
  const std::string text = harm_details(select_harm({{}, HarmClass::kSelf, true}), kPlain);
  EXPECT_THAT(text, HasSubstr("CVEs      CVE-2019-5489\n"));
  EXPECT_THAT(text, Not(HasSubstr("getpid")));
}

TEST(HarmText, TheTableHasALineForEachEntry) {
  const auto all = select_harm({});
  EXPECT_GT(all.size(), 450U);
  const std::string text = harm_table(all, kPlain);
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), all.size() + 1);
  EXPECT_THAT(text, HasSubstr("danger"));
}

TEST(HarmText, JsonHasTheSame) {
  const auto json = parse_json_or_throw<nlohmann::json>(
      harm_json(select_harm({{"prctl"}, HarmClass::kDanger, false})));
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[0]["call"], "prctl");
  EXPECT_EQ(json[0]["number"], 157);
  EXPECT_EQ(json[0]["class"], "danger");
  EXPECT_EQ(json[0]["arguments"], "argument 0 is PR_SET_SECCOMP");
  EXPECT_EQ(json[1]["arguments"], "argument 0 is PR_SET_MM");
}

}  // namespace
}  // namespace ward::cli
