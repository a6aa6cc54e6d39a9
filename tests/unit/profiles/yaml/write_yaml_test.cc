// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "profiles/canonical.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::profiles {
namespace {

Profile rich_profile() {
  Profile profile;
  profile.name = "web";
  profile.version = 7;
  profile.extends = {"ward-baseline"};
  profile.architectures = {"x86_64"};
  profile.knows = NewestKnown{450, "set_mempolicy_home_node"};
  profile.no_new_privileges = false;
  profile.boundary = {std::chrono::milliseconds(1500), std::chrono::hours(2)};
  for (const char* name : {"accept", "accept4", "bind", "read", "write", "writev", "clone"}) {
    profile.syscalls[Layer::kServing][name] = {name, {}};
  }
  profile.syscalls[Layer::kServing]["socket"] = {"socket", {{0, {}, {1, 2, 16}}, {1, 0xF, {1, 2}}}};
  profile.syscalls[Layer::kServing]["mprotect"] = {"mprotect", {{2, {}, {0, 1, 3}}}};
  profile.syscalls[Layer::kBoot]["unshare"] = {"unshare", {{0, {}, {0x20000, 0x30020000}}}};
  profile.syscalls[Layer::kExec]["ioctl"] = {"ioctl", {{1, {}, {0x5401, 0xC0DEC0DEDEADBEEF}}}};
  profile.accept = {{"socket", "asks for \"addresses\":\n\tall of them", {{0, {}, {16}}}},
                    {"unshare", "its own mount namespace", {{0, {}, {0x20000, 0x30020000}}}}};
  profile.capabilities = {"CAP_CHOWN", "CAP_NET_BIND_SERVICE"};
  profile.on_workload = {Action::kDeny, Action::kQuarantine, 3, std::chrono::minutes(10)};
  profile.on_exec = {Action::kLog, {}, 0, {}};
  profile.provenance = {
      {"recorder", "ebpf"}, {"note: odd", "x # y\n\x01é"}, {"runs", "2"}, {"empty", ""}};
  return profile;
}

std::string golden(const std::string& name) {
  std::ifstream file("tests/golden/profiles/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(WriteYaml, WhatIsWrittenIsReadBackAsTheSameProfile) {
  const std::string text = write_yaml(rich_profile());
  const auto again = read_profile(text, "web.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, rich_profile());
  EXPECT_EQ(write_yaml(*again), text);
}

TEST(WriteYaml, TheFormIsThatOfTheGoldenFile) {
  EXPECT_EQ(write_yaml(rich_profile(), "Made by hand.\nFor the test."), golden("rich.yaml"));
}

TEST(WriteYaml, APolicyIsReadBackAsTheSamePolicy) {
  Policy policy;
  policy.name = "node";
  policy.rules.push_back({{{}, {"kube-*"}, {}, {}, {}, true, true, true},
                          Mode::kOff,
                          "",
                          "",
                          Missing::kRefuse,
                          {},
                          {}});
  policy.rules.push_back(
      {{{"default"}, {}, {"*"}, {"nginx*"}, {"docker.io/*"}, false, false, false},
       Mode::kEnforce,
       "{namespace}_{container}",
       "{container}",
       Missing::kBaseline,
       Action::kKill,
       Action::kLog});
  policy.rules.back().sessions = Sessions::kRefuse;
  policy.rules.push_back({{}, Mode::kLearn, "", "{pod}_{container}", Missing::kRefuse, {}, {}});
  policy.rules[1].enforce_after = EnforceAfter{3, std::chrono::minutes(30), 40};
  const std::string text = write_yaml(policy);
  const auto again = read_policy(text, "node.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, policy);
  EXPECT_EQ(text, golden("policy.yaml"));
}

TEST(Canonical, ProvenanceAndOrderDoNotChangeTheIdentity) {
  Profile other = rich_profile();
  other.provenance = {{"runs", "99"}};
  std::swap(other.capabilities[0], other.capabilities[1]);
  std::swap(other.accept[0], other.accept[1]);
  other.syscalls[Layer::kExec]["ioctl"].args[0].mask = ~std::uint64_t{0};
  EXPECT_EQ(digest(other), digest(rich_profile()));
  EXPECT_EQ(digest(other).size(), 64U);
}

TEST(Canonical, EveryFieldThatIsEnforcedChangesTheIdentity) {
  const auto changed = [](auto change) {
    Profile other = rich_profile();
    change(other);
    return digest(other) != digest(rich_profile());
  };
  EXPECT_TRUE(changed([](Profile& p) { p.name = "api"; }));
  EXPECT_TRUE(changed([](Profile& p) { p.version = 8; }));
  EXPECT_TRUE(changed([](Profile& p) { p.extends.clear(); }));
  EXPECT_TRUE(changed([](Profile& p) { p.no_new_privileges = true; }));
  EXPECT_TRUE(changed([](Profile& p) { p.boundary.quiet = std::chrono::milliseconds(1); }));
  EXPECT_TRUE(changed([](Profile& p) { p.syscalls[Layer::kServing].erase("read"); }));
  EXPECT_TRUE(
      changed([](Profile& p) { p.syscalls[Layer::kServing]["socket"].args[1].mask.reset(); }));
  EXPECT_TRUE(changed([](Profile& p) { p.accept[0].reason = "another reason"; }));
  EXPECT_TRUE(changed([](Profile& p) { p.capabilities.pop_back(); }));
  EXPECT_TRUE(changed([](Profile& p) { p.on_workload.action = Action::kKill; }));
  EXPECT_TRUE(changed([](Profile& p) { p.on_exec.action = Action::kDeny; }));
}

}  // namespace
}  // namespace ward::profiles
