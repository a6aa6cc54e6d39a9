// SPDX-License-Identifier: Apache-2.0
#include "profiles/enforce_after.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiles/resolve.h"

namespace ward::profiles {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

Profile learned(const std::string& runs, const std::string& seconds, const std::string& percent) {
  Profile profile;
  profile.name = "web";
  profile.extends = {"ward-baseline"};
  profile.architectures = {"x86_64"};
  profile.provenance = {{kRunsKey, runs}, {kRecordedKey, seconds}, {kNewInARunKey, percent}};
  return profile;
}

Policy asking(const EnforceAfter& gate, const std::string& profile, Mode mode = Mode::kEnforce) {
  PolicyRule rule;
  rule.mode = mode;
  rule.profile = profile;
  rule.enforce_after = gate;
  Policy policy;
  policy.name = "node";
  policy.rules = {rule};
  return policy;
}

TEST(EnforceAfter, WhatIsMissingIsNamedWithWhatIsAskedFor) {
  EXPECT_THAT(shortfalls({5, 10min, 40}, learned("2", "90", "71")),
              ElementsAre("2 runs (5 are asked for)", "90s of recorded time (10m are asked for)",
                          "up to 71 % of further runs may show a new call (at most 40 % are asked "
                          "for)"));
  EXPECT_THAT(shortfalls({5, 10min, 40}, learned("5", "600", "40")), IsEmpty());
}

TEST(EnforceAfter, AProfileThatSaysNothingOrNonsenseFallsShort) {
  Profile silent = learned("5", "600", "40");
  silent.provenance.clear();
  EXPECT_THAT(shortfalls({1, 1s, 99}, silent), SizeIs(3));
  EXPECT_THAT(shortfalls({1, 1s, 99}, learned("many", "-3", "1.5")), SizeIs(3));
  EXPECT_THAT(shortfalls({}, silent), IsEmpty());
}

TEST(EnforceAfter, ATemplateMayNameEveryProfileThatFitsAroundItsPlaces) {
  PolicyRule rule;
  rule.profile = "prod-{namespace}_{container}";
  EXPECT_TRUE(may_name(rule, "prod-shop_cart"));
  EXPECT_FALSE(may_name(rule, "prod-shop-cart"));
  EXPECT_FALSE(may_name(rule, "shop_cart"));
  // Behind the last place a long name has a digest.
  rule.profile = "{namespace}_{pod}-prod";
  EXPECT_TRUE(may_name(rule, "shop_cart__0123456789ab"));
  std::string many, name;
  for (int i = 0; i < 30; ++i) {
    many += "{pod}_";
    name += "a_";
  }
  rule.profile = many + "{pod}";
  EXPECT_TRUE(may_name(rule, name + "b"));
  rule.profile = "x_" + many + "{pod}";
  EXPECT_FALSE(may_name(rule, name + "b"));
  rule.profile = "web";
  EXPECT_TRUE(may_name(rule, "web"));
  EXPECT_FALSE(may_name(rule, "web2"));
  rule.profile = "";
  EXPECT_FALSE(may_name(rule, ""));
}

TEST(EnforceAfter, OnlyARuleThatEnforcesAsks) {
  const Profile few = learned("1", "5", "100");
  EXPECT_THAT(closed_gates({asking({2, 0s, {}}, "{container}")}, few),
              ElementsAre("policy node, rule 1 asks for more before it enforces profile web: 1 "
                          "runs (2 are asked for)"));
  EXPECT_THAT(closed_gates({asking({2, 0s, {}}, "web", Mode::kSupervise)}, few), IsEmpty());
  EXPECT_THAT(closed_gates({asking({2, 0s, {}}, "api")}, few), IsEmpty());
}

TEST(EnforceAfter, TheIndexKeepsTheGates) {
  Policy policy = asking({2, 90s, 0}, "web");
  policy.rules.insert(policy.rules.begin(), PolicyRule{});
  const auto resolved = resolve({policy}, {learned("2", "90", "1")}, {}, 1);
  ASSERT_TRUE(resolved) << resolved.error().message;
  const auto kept = gates_in_force(resolved->index);
  ASSERT_EQ(kept.size(), 1U);
  ASSERT_EQ(kept[0].rules.size(), 2U);
  EXPECT_EQ(kept[0].rules[1].enforce_after, policy.rules[1].enforce_after);
  EXPECT_THAT(closed_gates(kept, learned("2", "90", "1")),
              ElementsAre(HasSubstr("policy node, rule 2 asks for more")));
}

TEST(EnforceAfter, ARehearsalThatATemplateMayEnforceIsWarnedOf) {
  Profile rehearsal = learned("5", "600", "40");
  rehearsal.rehearsal = true;
  PolicyRule rule;
  rule.mode = Mode::kEnforce;
  rule.profile = "{container}";
  Policy policy;
  policy.name = "node";
  policy.rules = {rule};
  const auto resolved = resolve({policy}, {rehearsal}, {}, 1);
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_THAT(resolved->warnings, testing::Contains(HasSubstr("web is for rehearsal")));
}

TEST(EnforceAfter, AProfileInForceBeforeItsTimeIsWarnedOf) {
  const auto resolved = resolve({asking({2, 0s, {}}, "web")}, {learned("1", "5", "100")}, {}, 1);
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_THAT(resolved->warnings, ElementsAre(HasSubstr("before its time: 1 runs (2 are asked")));
}

}  // namespace
}  // namespace ward::profiles
