// SPDX-License-Identifier: Apache-2.0
#include "profiles/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/digest.h"
#include "profiles/canonical.h"

namespace ward::profiles {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Profile web() {
  Profile profile;
  profile.name = "web";
  profile.architectures = {"x86_64"};
  profile.syscalls[Layer::kServing]["bind"] = {"bind", {}};
  profile.on_workload = {Action::kDeny, Action::kQuarantine, 3, std::chrono::minutes(10)};
  return profile;
}

Policy policy_of(PolicyRule rule) {
  Policy policy;
  policy.name = "node";
  policy.rules = {std::move(rule)};
  return policy;
}

PolicyRule enforce(const std::string& profile) {
  PolicyRule rule;
  rule.mode = Mode::kEnforce;
  rule.profile = profile;
  return rule;
}

TEST(Resolve, ARuleNamesTheCompiledFileAndItsActions) {
  const auto resolved = resolve({policy_of(enforce("web"))}, {web()}, {}, 7);
  ASSERT_TRUE(resolved) << resolved.error().message;
  const auto& rule = resolved->index.rules(0);
  EXPECT_EQ(rule.profile_digest(), digest(web()));
  EXPECT_EQ(rule.actions().workload(), node::v1::ACTION_DENY);
  EXPECT_EQ(rule.actions().escalate_to(), node::v1::ACTION_QUARANTINE);
  EXPECT_EQ(rule.actions().escalate_window_s(), 600U);
  EXPECT_EQ(rule.workload(), "") << "F26: the shim makes a name that no stranger gets";
  EXPECT_EQ(resolved->index.generation(), 7U);
  ASSERT_EQ(resolved->files.size(), 2U);  // web and the baseline
  EXPECT_EQ(resolved->files[0].sha256, rule.compiled_sha256());
  EXPECT_EQ(sha256_hex(resolved->files[0].bytes), rule.compiled_sha256());
}

TEST(Resolve, ASealedFileCarriesTheDigestOfItsPayload) {
  const auto compiled = compile(web());
  ASSERT_TRUE(compiled);
  node::v1::SealedFile file;
  ASSERT_TRUE(file.ParseFromString(seal(*compiled).bytes));
  EXPECT_EQ(file.magic(), "ward-profile-1");
  EXPECT_EQ(file.sha256(), sha256_hex(file.payload()));
  node::v1::CompiledProfile again;
  ASSERT_TRUE(again.ParseFromString(file.payload()));
  EXPECT_EQ(again.digest(), digest(web()));
  EXPECT_EQ(seal(*compiled).sha256, seal(*compile(web())).sha256);
}

TEST(Resolve, ThePolicysActionsComeFirst) {
  PolicyRule rule = enforce("web");
  rule.on_workload = Action::kQuarantine;
  rule.on_exec = Action::kLog;
  const auto resolved = resolve({policy_of(rule)}, {web()}, {}, 1);
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->index.rules(0).actions().workload(), node::v1::ACTION_QUARANTINE);
  EXPECT_EQ(resolved->index.rules(0).actions().exec(), node::v1::ACTION_LOG);
  EXPECT_EQ(resolved->index.rules(0).actions().escalate_to(), node::v1::ACTION_UNSPECIFIED);
}

TEST(Resolve, WhatSessionsMayDoGoesIntoTheIndex) {
  PolicyRule rule = enforce("web");
  EXPECT_EQ(resolve({policy_of(rule)}, {web()}, {}, 1)->index.rules(0).sessions(),
            node::v1::SESSIONS_LAYER);
  rule.sessions = Sessions::kRefuse;
  EXPECT_EQ(resolve({policy_of(rule)}, {web()}, {}, 1)->index.rules(0).sessions(),
            node::v1::SESSIONS_REFUSE);
}

TEST(Resolve, AMissingProfileIsAWarningAndKeepsTheStrictDefaults) {
  const auto resolved = resolve({policy_of(enforce("api"))}, {web()}, {}, 1);
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->index.rules(0).compiled_sha256(), "");
  EXPECT_EQ(resolved->index.rules(0).actions().workload(), node::v1::ACTION_QUARANTINE);
  EXPECT_EQ(resolved->index.rules(0).missing(), node::v1::MISSING_REFUSE);
  EXPECT_THAT(
      resolved->warnings,
      ElementsAre(
          "policy node, rule 1: there is no profile 'api'; until there is, missing: refuse"));
}

TEST(Resolve, ATemplateIsLeftToTheShimWithTheTableToLookItUpIn) {
  PolicyRule rule = enforce("{container}");
  rule.on_exec = Action::kKill;
  rule.selector.kubernetes_namespaces = {"shop"};
  const auto resolved = resolve({policy_of(rule)}, {web()}, {}, 1);
  ASSERT_TRUE(resolved);
  const auto& compiled = resolved->index.rules(0);
  EXPECT_EQ(compiled.profile_name(), "{container}");
  EXPECT_EQ(compiled.compiled_sha256(), "");
  EXPECT_EQ(compiled.actions().workload(), node::v1::ACTION_UNSPECIFIED);
  EXPECT_EQ(compiled.actions().exec(), node::v1::ACTION_KILL);
  ASSERT_EQ(resolved->index.profiles_size(), 1);
  EXPECT_EQ(resolved->index.profiles(0).name(), "web");
  EXPECT_EQ(resolved->index.profiles(0).actions().workload(), node::v1::ACTION_DENY);
  EXPECT_TRUE(resolved->warnings.empty());
}

TEST(Resolve, H09_WhereATenantsTextChoosesTheProfileTheStatusSaysSo) {
  const auto resolved = resolve({policy_of(enforce("{container}"))}, {web()}, {}, 1);
  ASSERT_TRUE(resolved);
  ASSERT_EQ(resolved->warnings.size(), 1U);
  EXPECT_THAT(resolved->warnings[0],
              HasSubstr("policy node, rule 1: whoever may create pods chooses"));
}

TEST(Resolve, TheBaselineForMissingProfilesIsAlwaysThereAndDenies) {
  const auto resolved = resolve({}, {}, {}, 1);
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->index.baseline().name(), "container-default");
  EXPECT_EQ(resolved->index.baseline().actions().workload(), node::v1::ACTION_DENY);
  EXPECT_EQ(resolved->files.at(0).sha256, resolved->index.baseline().compiled_sha256());
}

TEST(Resolve, I9_TwoProfilesOfOneNameOrAnInvalidOneResolveNothing) {
  EXPECT_THAT(resolve({}, {web(), web()}, {}, 1).error().message,
              HasSubstr("two profiles are named 'web'"));
  EXPECT_THAT(resolve({policy_of(enforce("web")), policy_of(enforce("web"))}, {web()}, {}, 1)
                  .error()
                  .message,
              HasSubstr("two policies are named 'node'"));
  Profile bad = web();
  bad.syscalls[Layer::kServing]["mount"] = {"mount", {}};
  EXPECT_THAT(resolve({}, {bad}, {}, 1).error().message, HasSubstr("mount is in the danger set"));
}

}  // namespace
}  // namespace ward::profiles
