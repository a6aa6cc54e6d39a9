// SPDX-License-Identifier: Apache-2.0
// What a profile says about calls that the container's own filter refuses, from the text to the
// compiled rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "profiles/canonical.h"
#include "profiles/compile.h"
#include "profiles/diff.h"
#include "profiles/explain.h"
#include "profiles/merge.h"
#include "profiles/resolve.h"
#include "profiles/validate.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kText = R"(apiVersion: ward.dev/v1alpha1
kind: Profile
metadata: {name: web, version: 2}
spec:
  architectures: [x86_64]
  noNewPrivileges: true
  boundary: {quiet: 10s, latest: 5m}
  syscalls:
    serving: [
      read]
  capabilities: []
  refused: [
    get_mempolicy,
    io_uring_setup,
    {name: clone, args: [{index: 0, mask: CLONE_NEWUSER, oneOf: [CLONE_NEWUSER]}]}]
  onViolation:
    workload: {action: quarantine}
    exec: {action: deny}
    refused: act
)";

Profile profile_of(std::string_view text) {
  auto profile = read_profile(text, "web.yaml");
  EXPECT_TRUE(profile) << profile.error().message;
  return profile.value_or(Profile{});
}

std::string without(std::string text, const std::string& line) {
  return text.erase(text.find(line), line.size());
}
std::string error_of(std::string text, const std::string& what, const std::string& by) {
  text.replace(text.find(what), what.size(), by);
  const auto profile = read_profile(text, "web.yaml");
  return profile ? "" : profile.error().message;
}

TEST(Refused, F01_IsReadAndWrittenInOneForm) {
  const Profile profile = profile_of(kText);
  EXPECT_EQ(profile.refused.size(), 3U);
  EXPECT_EQ(profile.on_refused, Refused::kAct);
  std::string canonical(kText);
  canonical.replace(canonical.find("mask: CLONE_NEWUSER"), 19, "mask: 0x10000000");
  EXPECT_EQ(write_yaml(profile), canonical);
}

TEST(Refused, F01_TheDangerSetNeedsNoSignatureToBeRefused) {
  for (const Finding& finding : validate(profile_of(kText)))
    EXPECT_NE(finding.severity, Finding::Severity::kError) << finding.subject << finding.message;
}

TEST(Refused, F01_I9_WhatIsWrongIsNamedWithItsPlace) {
  const std::string text(kText);
  EXPECT_THAT(
      error_of(text, "get_mempolicy", "get_mempolicies"),
      HasSubstr(
          "web.yaml:13:5: unknown syscall 'get_mempolicies' (did you mean 'get_mempolicy'?)"));
  EXPECT_THAT(error_of(text, "refused: act", "refused: {action: deny}"),
              HasSubstr("web.yaml:19:14: "));
  EXPECT_THAT(error_of(text, "refused: act", "refused: deny"), HasSubstr("web.yaml:19:14: "));
  EXPECT_THAT(error_of(text, "refused: act", "refused: deny"), HasSubstr("log or act"));
  EXPECT_THAT(error_of(text, "get_mempolicy,", "get_mempolicy, get_mempolicy,"),
              HasSubstr("web.yaml:13:20: "));
  EXPECT_THAT(error_of(text, "oneOf: [CLONE_NEWUSER]", "oneOf: [0x20000]"),
              HasSubstr("outside of the mask"));
}

TEST(Refused, F01_IsPartOfTheIdentityAndProfilesFromBeforeKeepTheirs) {
  const std::string text(kText);
  const std::string with_list = without(text, "    refused: act\n");
  const std::string list = with_list.substr(
      with_list.find("  refused:"), with_list.find("  onViol") - with_list.find("  refused:"));
  const std::string neither = without(with_list, list);
  EXPECT_NE(digest(profile_of(text)), digest(profile_of(with_list)));
  EXPECT_NE(digest(profile_of(with_list)), digest(profile_of(neither)));
  EXPECT_EQ(canonical_bytes(profile_of(neither)), neither)
      << "as it was written before there was such a key";
  std::string said = neither;
  said += "    refused: log\n";
  EXPECT_EQ(digest(profile_of(said)), digest(profile_of(neither))) << "the default, spelt out";
}

TEST(Refused, F01_IsCompiledAndThePolicyComesFirst) {
  const auto compiled = compile(profile_of(kText));
  ASSERT_TRUE(compiled);
  EXPECT_EQ(compiled->actions().refused(), node::v1::REFUSED_ACT);
  std::vector<std::uint32_t> numbers;
  for (const auto& rule : compiled->refused()) numbers.push_back(rule.nr());
  EXPECT_THAT(numbers,
              ::testing::UnorderedElementsAre(SYS_get_mempolicy, SYS_io_uring_setup, SYS_clone));
  for (const auto& rule : compiled->refused())
    EXPECT_EQ(rule.alternatives_size(), rule.nr() == SYS_clone ? 1 : 0);
  for (const auto& rule : compiled->syscalls())
    EXPECT_NE(rule.nr(), static_cast<std::uint32_t>(SYS_io_uring_setup));

  auto policy = read_policy(
      "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: node}\nspec:\n  rules:\n"
      "    - {mode: enforce, match: {containers: [a]}, profile: web, onViolation: {refused: log}}\n"
      "    - {mode: enforce, profile: web}\n",
      "node.yaml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(read_policy(write_yaml(*policy), "node.yaml").value(), *policy);
  const auto resolved = resolve({*policy}, {profile_of(kText)}, {}, 1);
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->index.rules(0).actions().refused(), node::v1::REFUSED_LOG);
  EXPECT_EQ(resolved->index.rules(1).actions().refused(), node::v1::REFUSED_ACT);
}

TEST(Refused, F01_ProfilesOfReplicasAreUnited) {
  Profile a = profile_of(kText), b = a;
  a.refused.erase("io_uring_setup");
  b.refused.erase("get_mempolicy");
  b.refused["clone"].args[0].one_of = {0};
  b.on_refused = Refused::kLog;
  const Profile both = merge(a, b);
  EXPECT_EQ(both, merge(b, a));
  EXPECT_EQ(both.refused.size(), 3U);
  EXPECT_EQ(both.refused.at("clone").args[0].one_of, (std::vector<std::uint64_t>{0, 0x10000000}));
  EXPECT_EQ(both.on_refused, Refused::kLog) << "the milder";
}

TEST(Refused, F01_ADiffAndAnExplanationSayIt) {
  Profile before = profile_of(kText);
  Profile after = before;
  before.refused.erase("io_uring_setup");
  after.refused.erase("get_mempolicy");
  const ProfileDiff danger = diff(before, after);
  EXPECT_TRUE(danger.widens()) << "io_uring is no longer acted upon";
  EXPECT_THAT(format_diff(danger),
              HasSubstr("~ refused get_mempolicy: any arguments -> not listed\n"));
  EXPECT_THAT(format_diff(danger),
              HasSubstr("~ refused io_uring_setup: not listed -> any arguments  (danger set)\n"));
  EXPECT_FALSE(diff(after, before).widens());
  after = before;
  after.on_refused = Refused::kLog;
  EXPECT_THAT(format_diff(diff(before, after)), HasSubstr("~ onViolation.refused: act -> log\n"));
  EXPECT_TRUE(diff(before, after).widens());
  EXPECT_THAT(format_explanation(explain(before, "get_mempolicy").value()),
              HasSubstr("refused: with any arguments the container's own filter may refuse it, and "
                        "nothing else"));
}

}  // namespace
}  // namespace ward::profiles
