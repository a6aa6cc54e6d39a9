// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiles/canonical.h"
#include "profiles/validate.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"
#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;

std::string policy(const std::string& rules) {
  return "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: node}\nspec:\n  rules:\n" +
         rules;
}

std::string error_of(const std::string& text) {
  const auto read = read_policy(text, "p.yaml");
  return read ? "accepted" : read.error().message;
}

std::vector<std::string> warnings_of(const std::string& rule) {
  std::vector<std::string> out;
  for (const Finding& f :
       validate(read_policy(policy("    - {" + rule + "}\n"), "p.yaml").value())) {
    if (f.severity == Finding::Severity::kWarning) out.push_back(f.subject);
  }
  return out;
}

TEST(ReadPolicy, MetadataOfEveryKindMayHaveLabelsAndAnnotations) {
  const std::string notes = "labels: {team: shop, tier: '1'}, annotations: {why: 'a: b'}";
  EXPECT_TRUE(read_policy("apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: node, " +
                              notes + "}\nspec: {rules: [{match: {pods: [a]}, mode: 'off'}]}\n",
                          "p.yaml"));
  const std::string plain =
      "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web, version: 7";
  const std::string spec = "}\nspec: {syscalls: {serving: [read]}}\n";
  const auto with = read_profile(plain + ", " + notes + spec, "w.yaml");
  ASSERT_TRUE(with) << with.error().message;
  EXPECT_EQ(digest(*with), digest(*read_profile(plain + spec, "w.yaml")))
      << "no part of the identity";
  EXPECT_THAT(read_profile(plain + ", labels: {a: [b]}" + spec, "w.yaml").error().message,
              HasSubstr("w.yaml:3:47: metadata.labels.a must be a text"));
}

TEST(ReadPolicy, ReadsEveryField) {
  const auto read = read_policy(
      policy(
          R"(    - match: {containerdNamespaces: [k8s.io], kubernetesNamespaces: [shop], pods: ["web-*"], containers: [web],
        images: ["*/web:*"], includeSandboxes: true, includePrivileged: true, includeKubeSystem: true}
      mode: enforce
      profile: "{namespace}_{container}"
      workload: "{pod}"
      missing: learn
      exec: workload
      onViolation: {workload: {action: kill}, exec: {action: log}}
)"),
      "p.yaml");
  ASSERT_TRUE(read) << read.error().message;
  const PolicyRule& rule = read->rules.at(0);
  EXPECT_EQ(rule.selector.pods, std::vector<std::string>{"web-*"});
  EXPECT_TRUE(rule.selector.include_kube_system);
  EXPECT_EQ(rule.mode, Mode::kEnforce);
  EXPECT_EQ(rule.profile, "{namespace}_{container}");
  EXPECT_EQ(rule.missing, Missing::kLearn);
  EXPECT_EQ(rule.on_workload, Action::kKill);
  EXPECT_EQ(rule.on_exec, Action::kLog);
  EXPECT_EQ(rule.sessions, Sessions::kWorkload);
}

TEST(ReadPolicy, I10_SpecialContainersAreLeftAloneUnlessNamed) {
  const auto read = read_policy(policy("    - {mode: enforce, profile: web}\n"), "p.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FALSE(read->rules[0].selector.include_sandboxes ||
               read->rules[0].selector.include_privileged ||
               read->rules[0].selector.include_kube_system);
}

TEST(ReadPolicy, I9_RefusalsNameThePlaceAndWhatWouldBeRight) {
  EXPECT_EQ(error_of(policy("    - {mode: enforced, profile: web}\n")),
            "p.yaml:6:14: mode cannot be 'enforced': it is one of off, learn, supervise or enforce "
            "(did you mean "
            "'enforce'?)");
  EXPECT_EQ(error_of(policy("    - {mode: enforce, profile: web, exec: refused}\n")),
            "p.yaml:6:43: exec cannot be 'refused': it is one of layer, workload or refuse (did "
            "you mean 'refuse'?)");
  EXPECT_EQ(error_of(policy("    - {mode: enforce}\n")),
            "p.yaml:6:7: mode enforce needs 'profile', such as profile: '{container}'");
  EXPECT_THAT(error_of(policy("    - {mode: learn, profile: web}\n")),
              HasSubstr("p.yaml:6:30: mode learn uses no profile"));
  EXPECT_EQ(error_of(policy("    - {mode: enforce, profile: '{image}'}\n")),
            "p.yaml:6:32: '{image}' is not a placeholder: use {container}, {pod} or {namespace}");
  EXPECT_THAT(error_of(policy("    - {mode: enforce, profile: ../x}\n")),
              HasSubstr("is not a name"));
  EXPECT_THAT(error_of(policy("    - {mode: enforce, profile: '{container'}\n")),
              HasSubstr("is not a placeholder"));
  EXPECT_THAT(error_of(policy("    - {mode: off, match: {containers: []}}\n")),
              HasSubstr("containers is empty: remove it to match everything"));
  EXPECT_THAT(error_of(policy("    - {mode: off, match: {container: [a]}}\n")),
              HasSubstr("(did you mean 'containers'?)"));
  EXPECT_THAT(error_of(policy("    - {mode: off, match: {includeSandboxes: 1}}\n")),
              HasSubstr("must be true or false"));
  EXPECT_THAT(error_of(policy("    []\n")), HasSubstr("a policy needs at least one rule"));
  EXPECT_THAT(error_of(policy("    - x\n")), HasSubstr("a rule must be a map"));
  EXPECT_THAT(error_of(""), HasSubstr("p.yaml:1:1: the file is empty"));
}

TEST(ReadPolicy, I9_HostileTextIsRefusedWithItsPlace) {
  for (const std::string& text :
       {std::string(" \n"), std::string("kind: \xff\n"), std::string("a\0b", 3),
        std::string("kind: &x a\n"), std::string("kind: *x\n"), std::string("kind: !!str a\n"),
        std::string("kind: a\nkind: a\n"), std::string("kind: a\n---\nkind: b\n"),
        std::string(60'000, '['), "# " + std::string(kMaxYamlBytes, 'x') + "\n",
        std::string("- a\n"), std::string("unknown: 1\n"), std::string("kind: [1\n")}) {
    EXPECT_THAT(error_of(text), testing::ContainsRegex("^p\\.yaml:[0-9]+:[0-9]+: "))
        << text.substr(0, 40);
  }
}

TEST(ReadPolicy, ARuleThatMatchesEverythingBeforeOthersIsWarnedOf) {
  const auto read = read_policy(policy("    - {mode: learn}\n    - {mode: off}\n"), "p.yaml");
  ASSERT_TRUE(read);
  const auto findings = validate(*read);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity, Finding::Severity::kWarning);
  EXPECT_EQ(findings[0].subject, "rules.0");
}

TEST(ReadPolicy, WhatSessionsMayDoWhileLearningIsWarnedOf) {
  const auto read = read_policy(policy("    - {mode: learn, exec: refuse}\n"), "p.yaml");
  ASSERT_TRUE(read);
  const auto findings = validate(*read);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity, Finding::Severity::kWarning);
  EXPECT_EQ(findings[0].subject, "rules.0.exec");
}

TEST(ReadPolicy, H09_TwoValuesThatCouldRunIntoEachOtherAreRefused) {
  const auto of = [](const std::string& text) {
    return error_of(policy("    - {mode: enforce, profile: '" + text +
                           "', match: {kubernetesNamespaces: [shop]}}\n"));
  };
  for (const char* bad :
       {"{namespace}-{pod}", "{namespace}{pod}", "{pod}.{container}", "a_{namespace}-{pod}_b",
        "{namespace}_{pod}-{container}", "{pod}x{namespace}"}) {
    EXPECT_THAT(of(bad), HasSubstr("p.yaml:6:32: '" + std::string(bad) +
                                   "' would give different containers one name"));
  }
  for (const char* good :
       {"{namespace}_{pod}", "x-{namespace}-_-{pod}", "{namespace}_{pod}_{container}",
        "{pod}-{pod}", "{container}", "web-{container}-1"}) {
    EXPECT_EQ(of(good), "accepted") << good;
  }
}

TEST(ReadPolicy, H09_ATenantsChoiceOfTheProfileIsWarnedOfUnlessTheRulePinsIt) {
  using Subjects = std::vector<std::string>;
  const Subjects profile = {"rules.0.profile"}, workload = {"rules.0.workload"}, none;
  EXPECT_EQ(warnings_of("mode: enforce, profile: '{container}'"), profile);
  EXPECT_EQ(
      warnings_of("mode: enforce, profile: '{pod}', match: {kubernetesNamespaces: ['shop-*']}"),
      profile);
  EXPECT_EQ(
      warnings_of("mode: enforce, profile: '{pod}', match: {containerdNamespaces: [k8s.io, moby]}"),
      profile);
  EXPECT_EQ(warnings_of("mode: enforce, profile: '{pod}', match: {containerdNamespaces: ['k8s*']}"),
            profile);
  EXPECT_EQ(warnings_of("mode: enforce, profile: web, workload: '{container}'"), workload);
  EXPECT_EQ(warnings_of("mode: learn"), none) << "F26: each has recordings of its own";
  EXPECT_EQ(warnings_of("mode: enforce, profile: web, missing: learn"), none);
  EXPECT_EQ(warnings_of("mode: enforce, profile: web"), none);
  EXPECT_EQ(
      warnings_of(
          "mode: enforce, profile: '{container}', match: {kubernetesNamespaces: [shop, web]}"),
      none);
  EXPECT_EQ(warnings_of("mode: enforce, profile: '{namespace}_{container}'"), none);
  EXPECT_EQ(warnings_of("mode: learn, match: {containerdNamespaces: [default]}"), none)
      << "no pod comes there";
  EXPECT_THAT(warnings_of("mode: learn, match: {containerdNamespaces: [default], images: [web]}"),
              testing::ElementsAre("rules.0.match.images"))
      << "nor is there an image that is known";
  EXPECT_EQ(warnings_of("mode: 'off'"), none);
}

// Each of these was taken, and its rule never matched: what it was to govern ran free.
TEST(ReadPolicy, F25_APatternThatCanNeverMatchIsRefusedWhereItStands) {
  const std::pair<const char*, const char*> dead[] = {
      {"containers: [\"web-?\"]", "no regular expression"},
      {"containers: [\"^an-.*$\"]", "no regular expression"},
      {"containers: [\"!web*\"]", "cannot exclude"},
      {"containers: [\"(a|b)\"]", "several entries of the list"},
      {"pods: [\"web-[0-9]\"]", "no regular expression"},
      {"images: [\"nginx:1.2+\"]", "no regular expression"},
      {"kubernetesNamespaces: [Shop]", "lower case"},
      {"pods: [\"a, b\"]", "several entries of the list"},
      {"containerdNamespaces: [\"k8s io\"]", "only '*'"},
      {"images: [\"{nginx,redis}:*\"]", "several entries"}};
  for (const auto& [match, hint] : dead) {
    const std::string error =
        error_of(policy(std::string("    - {mode: learn, match: {") + match + "}}\n"));
    EXPECT_THAT(error, testing::HasSubstr("never matches")) << match;
    EXPECT_THAT(error, testing::HasSubstr(hint)) << match;
  }
  EXPECT_THAT(error_of(policy("    - {mode: learn, match: {containers: [web, \"db-?\"]}}\n")),
              testing::HasSubstr(":6:47: 'db-?' never matches"));
  for (const char* alive : {"containers: [\"*\", Web_1.a-b]",
                            "images: [\"ghcr.io:443/a_b/c@sha256:*\", \"*/Nginx:1.2\"]",
                            "pods: [\"web-*\", a.b]", "kubernetesNamespaces: [shop-1]"}) {
    EXPECT_EQ(error_of(policy(std::string("    - {mode: learn, match: {") + alive + "}}\n")),
              "accepted")
        << alive;
  }
}

TEST(ReadPolicy, F25_ASelectorSaysWhereItCannotWork) {
  EXPECT_THAT(warnings_of("mode: learn, match: {containerdNamespaces: [default], pods: [web]}"),
              testing::ElementsAre("rules.0.match.pods"));
  EXPECT_THAT(
      warnings_of(
          "mode: learn, match: {containerdNamespaces: [default], kubernetesNamespaces: [web]}"),
      testing::ElementsAre("rules.0.match.kubernetesNamespaces"));
}

TEST(ReadPolicy, F25_ARuleKnowsWhereItStands) {
  const auto read = read_policy(policy("    - {mode: learn}\n\n    - {mode: \"off\"}\n"), "p.yaml");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->rules[0].place.file, "p.yaml");
  EXPECT_EQ(read->rules[1].place.line, read->rules[0].place.line + 2);
}

TEST(ReadPolicy, AStormGuard) {
  const auto rule = [](const std::string& guard) {
    return policy("    - {mode: enforce, profile: web, stormGuard: " + guard + "}\n");
  };
  const auto all = read_policy(rule("{after: 7, within: 90s, pods: 4, then: kill}"), "p.yaml");
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->rules.at(0).storm_guard,
            (StormGuard{7, std::chrono::seconds(90), 4, Action::kKill}));
  const auto defaults = read_policy(rule("{}"), "p.yaml");
  ASSERT_TRUE(defaults) << defaults.error().message;
  EXPECT_EQ(defaults->rules.at(0).storm_guard, StormGuard{});
  EXPECT_EQ(read_policy(write_yaml(*all), "again.yaml").value(), *all);

  EXPECT_THAT(error_of(rule("{then: log}")), HasSubstr("a storm guard denies at least"));
  EXPECT_THAT(error_of(rule("{after: 0}")), HasSubstr("after is at least 1"));
  EXPECT_THAT(error_of(rule("{after: 2, pods: 3}")), HasSubstr("pods is at most after"));
  EXPECT_THAT(error_of(rule("{within: 0s}")), HasSubstr("within is at least 1s"));
  EXPECT_THAT(error_of(rule("{afterwards: 3}")), HasSubstr("after"));
}

TEST(ReadPolicy, AGateBeforeEnforceIsReadAndItsMistakesAreNamed) {
  const auto read = read_policy(
      policy("    - {mode: enforce, profile: web, enforceAfter: {runs: 3, recorded: 30m, "
             "newInARunAtMost: 40}}\n"),
      "p.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->rules[0].enforce_after, (EnforceAfter{3, std::chrono::minutes(30), 40}));
  const auto wrong = [](const std::string& gate) {
    return error_of(policy("    - {mode: enforce, profile: web, enforceAfter: " + gate + "}\n"));
  };
  EXPECT_THAT(wrong("{}"), HasSubstr("asks for nothing"));
  EXPECT_THAT(wrong("{newInARunAtMost: 101}"), HasSubstr("at most 100"));
  EXPECT_THAT(wrong("{run: 3}"), HasSubstr("did you mean 'runs'"));
  EXPECT_THAT(wrong("{recorded: soon}"), HasSubstr("p.yaml:6:"));
  EXPECT_THAT(warnings_of("mode: supervise, profile: web, enforceAfter: {runs: 3}"),
              ::testing::Contains("rules.0.enforceAfter"));
}

TEST(ReadPolicy, WhatANodeMayLetRunOfItselfIsAskedForInOneWordOrInFigures) {
  const auto amend = [](const std::string& text) {
    const auto read =
        read_policy(policy("    - {mode: enforce, profile: web, amend: " + text + "}\n"), "p.yaml");
    EXPECT_TRUE(read) << read.error().message;
    return read ? read->rules[0].amend : std::nullopt;
  };
  EXPECT_EQ(amend("auto"), Amend());
  EXPECT_EQ(amend("{auto: true}"), Amend());
  EXPECT_EQ(amend("{auto: true, containers: 2, over: 1s}"), (Amend{2, std::chrono::seconds(1)}));
  EXPECT_EQ(amend("{auto: false, containers: 5}"), std::nullopt);
  const auto wrong = [](const std::string& text) {
    return error_of(policy("    - {mode: enforce, profile: web, amend: " + text + "}\n"));
  };
  EXPECT_THAT(wrong("{}"), HasSubstr("needs 'auto'"));
  EXPECT_THAT(wrong("always"), HasSubstr("auto"));
  EXPECT_THAT(wrong("true"), HasSubstr("auto"));
  EXPECT_THAT(wrong("{auto: true, containers: 1}"), HasSubstr("at least 2"));
  EXPECT_THAT(wrong("{auto: true, containers: 33}"), HasSubstr("at most 32"));
  EXPECT_THAT(wrong("{auto: true, over: 0s}"), HasSubstr("at least 1s"));
  EXPECT_THAT(wrong("{auto: true, container: 3}"), HasSubstr("did you mean 'containers'"));
  EXPECT_THAT(error_of(policy("    - {mode: learn, amend: auto}\n")),
              HasSubstr("p.yaml:6:28: mode learn uses no profile that could be amended"));
  const std::string rule = "mode: supervise, profile: web, amend: ";
  EXPECT_THAT(warnings_of(rule + "auto"), ::testing::IsEmpty());
  for (const char* weak : {"{auto: true, containers: 2}", "{auto: true, over: 23h}"})
    EXPECT_THAT(warnings_of(rule + weak), ::testing::Contains("rules.0.amend"));
}

}  // namespace
}  // namespace ward::profiles
