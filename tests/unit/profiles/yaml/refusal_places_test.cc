// SPDX-License-Identifier: Apache-2.0
// What a refusal points at, and what it advises: the very character, and never a word of the wrong
// list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiles/yaml/node_config.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::profiles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kHead =
    "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web}\nspec:\n";

std::string refusal(const std::string& text) {
  const auto read = read_profile(text, "web.yaml");
  return read ? "accepted" : read.error().message;
}
std::string of_spec(const std::string& spec) { return refusal(kHead + spec); }
std::string of_policy(const std::string& rule) {
  const auto read = read_policy(
      "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    - " +
          rule + "\n",
      "p.yaml");
  return read ? "accepted" : read.error().message;
}

TEST(RefusalPlaces, ATabThatIndentsIsPointedAt) {
  const std::string says = "a tab indents this line";
  EXPECT_THAT(of_spec("  syscalls:\n\tserving: [read]\n"), StartsWith("web.yaml:6:1: " + says));
  EXPECT_THAT(of_spec("  syscalls:\n    serving: [read]\n  \tboot: [write]\n"),
              StartsWith("web.yaml:7:3: " + says));
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\n\t- read\n"),
              StartsWith("web.yaml:7:1: " + says));
  EXPECT_THAT(of_spec("  syscalls:\n    # \tnot this one\n\n\tserving: [read]\n"),
              StartsWith("web.yaml:8:1: " + says));
}

TEST(RefusalPlaces, ATabElsewhereIsABlankAsYamlHasIt) {
  EXPECT_EQ(of_spec("  syscalls:\t\n    serving:\n      -\tread\n      - write\t# last\n"),
            "accepted");
  EXPECT_EQ(refusal("{\n\t\"apiVersion\": \"ward.dev/v1alpha1\",\n\t\"kind\": \"Profile\",\n"
                    "\t\"metadata\": {\"name\": \"web\"},\n\t\"spec\": {\n\t\t\"syscalls\": "
                    "{\"serving\": [\"read\"]}\n\t}\n}\n"),
            "accepted")
      << "JSON, indented with tabs";
}

TEST(RefusalPlaces, WhatOnlyLooksLikeASpaceIsPointedAt) {
  const std::string says = "a no-break space (U+00A0) stands here";
  EXPECT_THAT(of_spec("  syscalls:\n   \u00a0serving: [read]\n"),
              StartsWith("web.yaml:6:4: " + says));
  EXPECT_THAT(of_spec("\u00a0 syscalls: {serving: [read]}\n"), StartsWith("web.yaml:5:1: " + says));
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\u00a0[read]\n"),
              StartsWith("web.yaml:6:13: " + says));
  EXPECT_THAT(of_spec("  syscalls:\n    serving\u00a0: [read]\n"),
              StartsWith("web.yaml:6:12: " + says));
  EXPECT_THAT(of_spec("  syscalls: {serving: [read,\u00a0write]}\n"),
              StartsWith("web.yaml:5:29: " + says));
  EXPECT_THAT(of_spec("  syscalls: {serving: [read\u00a0, write]}\n"),
              StartsWith("web.yaml:5:28: " + says));
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\n      -\u00a0read\n"),
              StartsWith("web.yaml:7:8: " + says));
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\n      - read\u00a0\n"),
              StartsWith("web.yaml:7:13: " + says));
  EXPECT_THAT(refusal("apiVersion: ward.dev/v1alpha1\nkind:\u00a0Profile\nmetadata: {name: web}\n"),
              StartsWith("web.yaml:2:6: " + says));
  // The column counts characters, not bytes, as editors do.
  EXPECT_THAT(of_spec("  # \u00e9\u00e9\n  syscalls: {serving: ['\u00e9', \u00a0read]}\n"),
              HasSubstr("web.yaml:6:29: "));
  EXPECT_THAT(of_spec("  syscalls: {serving: [\u200bread]}\n"),
              StartsWith("web.yaml:5:24: an invisible character (U+200B)"));
  EXPECT_THAT(of_spec("  syscalls: {serving: [\u3000read]}\n"), HasSubstr("U+3000"));
  EXPECT_THAT(of_policy("{match: {containers: [\ufeffa]}, mode: learn}"),
              AllOf(StartsWith("p.yaml:6:29"), HasSubstr("U+FEFF")));
}

TEST(RefusalPlaces, InTextForPeopleItDoesNoHarm) {
  EXPECT_EQ(of_spec("  # a\u00a0comment:\u00a0x\n  syscalls: {serving: [mount]}\n  accept:\n"
                    "    - syscall: mount\n      reason: "
                    "n\u00e9cessaire\u00a0(voir\u00a0\u00ab\u00a0ici\u00a0\u00bb)\u00a0!\n"),
            "accepted");
  EXPECT_EQ(of_spec("  syscalls: {serving: [mount]}\n  accept:\n"
                    "    - {syscall: mount, reason: \"\u00a0quoted,\u00a0long\"}\n"
                    "provenance:\n  note: |\n    \u00a0a block:\u00a0text\n    -\u00a0of lines\n  "
                    "more: it isn't\u00a0much\n"),
            "accepted");
  EXPECT_EQ(refusal("\ufeff" + std::string(kHead) + "  syscalls: {serving: [read]}\n"), "accepted")
      << "a byte order mark";
}

TEST(RefusalPlaces, AnEmptyItemIsPointedAtAndSoIsAKeyWithoutAValue) {
  EXPECT_THAT(
      of_spec("  syscalls:\n    serving:\n      - read\n      -\n      - write\n"),
      StartsWith("web.yaml:8:7: a syscall must be a text, not nothing: fill it in, or remove it"));
  EXPECT_THAT(
      of_spec(
          "  syscalls:\n    serving:\n      - read\n      -   # later\n\n# and\n      - write\n"),
      StartsWith("web.yaml:8:7: "));
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\n      - read\n      - \n"),
              StartsWith("web.yaml:8:7: "));
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\n      -\n"), StartsWith("web.yaml:7:7: "));
  EXPECT_THAT(of_spec("  syscalls: {serving: [read,, write]}\n"), StartsWith("web.yaml:5:29: "));
  EXPECT_THAT(of_spec("  syscalls: {serving: [~]}\n"), StartsWith("web.yaml:5:24: "));
  EXPECT_THAT(of_spec("  syscalls:\n\n\n"),
              StartsWith("web.yaml:5:3: syscalls must be a map, not nothing"));
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\n\n  capabilities: []\n"),
              StartsWith("web.yaml:6:5: "));
  EXPECT_THAT(of_policy("match: {containers: [a]}\n      mode:\n"),
              StartsWith("p.yaml:7:7: mode must be a text"));
}

TEST(RefusalPlaces, ManyEmptyItemsTakeNoTime) {
  std::string items;
  for (int i = 0; i < 19'000; ++i) items += "      -\n";
  EXPECT_THAT(of_spec("  syscalls:\n    serving:\n" + items), HasSubstr("web.yaml:7:7: "));
}

TEST(Hints, AKeyOfAnotherPlaceIsToldWhereItBelongs) {
  EXPECT_THAT(of_policy("{mode: learn, includePrivileged: true}"),
              HasSubstr("unknown key 'includePrivileged' in a rule: it belongs in match"));
  EXPECT_THAT(of_policy("{mode: enforce, profile: a, onViolation: {action: deny}}"),
              HasSubstr("it belongs in onViolation.workload and onViolation.exec"));
  EXPECT_THAT(of_policy("{mode: learn, match: {mode: learn}}"), HasSubstr("it belongs in a rule"));
  EXPECT_THAT(of_spec("  serving: [read]\n"),
              HasSubstr("unknown key 'serving' in spec: it belongs in syscalls"));
  EXPECT_THAT(of_spec("  quiet: 10s\n"), HasSubstr("it belongs in boundary"));
  const auto config = read_node_config(
      "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nmaxEvents: 1000\nevidence: {ttl: 1m}\n",
      "wardd.yaml");
  EXPECT_THAT(config.error().message,
              AllOf(HasSubstr("it belongs in journal"), HasSubstr("it belongs in quarantine")));
}

TEST(Hints, ComeFromTheRightListOrThereIsNone) {
  EXPECT_THAT(of_policy("{mode: learn, match: {namespaces: [a]}}"),
              HasSubstr("(did you mean 'containerdNamespaces' or 'kubernetesNamespaces'?)"));
  EXPECT_THAT(of_policy("{mode: learn, match: {labels: {a: b}}}"),
              HasSubstr("unknown key 'labels' in match: it belongs in metadata"));
  EXPECT_THAT(
      of_policy("{mode: learn, match: {selector: {a: b}}}"),
      AllOf(Not(HasSubstr("did you mean")), HasSubstr("the keys here are containerdNamespaces, ")));
  EXPECT_THAT(of_policy("{mode: Learn}"), HasSubstr("(did you mean 'learn'?)"));
  EXPECT_THAT(of_policy("{mode: audit}"),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr("off, learn, supervise")));
  const auto value = [](const std::string& index, const std::string& text) {
    return of_spec("  syscalls: {serving: [{name: socket, args: [{index: " + index + ", oneOf: [" +
                   text + "]}]}]}\n");
  };
  EXPECT_THAT(value("0", "af_inet"),
              HasSubstr("unknown value 'af_inet' (did you mean 'AF_INET'?)"));
  EXPECT_THAT(value("0", "inet6"), HasSubstr("(did you mean 'AF_INET6'?)"));
  EXPECT_THAT(value("0", "IPPROTO_TCP"),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr("write a number")));
  EXPECT_THAT(value("2", "IPPROTO_TCP"),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr("AF_NETLINK only")));
  EXPECT_THAT(of_spec("  syscalls: {serving: [read]}\n  capabilities: [ALL]\n"),
              AllOf(HasSubstr("unknown capability 'ALL': no word stands for all"),
                    Not(HasSubstr("did you mean"))));
  EXPECT_THAT(of_spec("  syscalls: {serving: [ALL]}\n"),
              AllOf(HasSubstr("list each"), Not(HasSubstr("did you mean"))));
}

struct Refers {
  const char* spec;
  const char* says;
};

// F20's kind in a profile: names that are well formed and name nothing.
TEST(RefersToNothing, F20_WhatAProfileNamesAndIsNotThereIsRefusedWithItsPlace) {
  const Refers rows[] = {
      {"  extends: [nowhere]\n  syscalls: {serving: [read]}\n",
       "web.yaml:5:12: unknown baseline 'nowhere'"},
      {"  architectures: [sparc]\n  syscalls: {serving: [read]}\n", "web.yaml:5:18: only [x86_64]"},
      {"  knows: {number: 500, name: read}\n  syscalls: {serving: [read]}\n",
       "web.yaml:5:10: number 500 is not 'read'"},
      {"  syscalls: {serving: [reed]}\n", "web.yaml:5:24: unknown syscall 'reed'"},
      {"  syscalls: {boot: [reed]}\n", "web.yaml:5:21: unknown syscall 'reed'"},
      {"  syscalls: {exec: [reed]}\n", "web.yaml:5:21: unknown syscall 'reed'"},
      {"  syscalls: {serving: [{name: fcntl, args: [{index: 1, oneOf: [F_NOTHING]}]}]}\n",
       "web.yaml:5:64: unknown value 'F_NOTHING'"},
      {"  syscalls: {serving: [read]}\n  accept: [{syscall: reed, reason: because it is}]\n",
       "web.yaml:6:12: unknown syscall 'reed'"},
      {"  syscalls: {serving: [read]}\n  accept: [{capability: CAP_NONE, reason: because it is}]\n",
       "web.yaml:6:12: unknown capability 'CAP_NONE'"},
      {"  syscalls: {serving: [read]}\n  capabilities: [CAP_NONE]\n",
       "web.yaml:6:18: unknown capability 'CAP_NONE'"},
      {"  syscalls: {serving: [read]}\n  refused: [reed]\n",
       "web.yaml:6:13: unknown syscall 'reed'"},
      {"  syscalls: {serving: [read]}\n  onViolation: {workload: {action: none}}\n",
       "web.yaml:6:36: action cannot be"}};
  for (const Refers& row : rows) EXPECT_THAT(of_spec(row.spec), StartsWith(row.says)) << row.spec;
}

TEST(ForeignDocuments, AreRecognisedAndSaidWithWhatToDo) {
  const std::string docker =
      R"({"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], "syscalls": [{"names": ["read"]}]})";
  EXPECT_THAT(refusal(docker),
              AllOf(StartsWith("web.yaml:1:2: this is a seccomp profile as Docker"),
                    HasSubstr("ward profile generate")));
  EXPECT_THAT(refusal("defaultAction: SCMP_ACT_ALLOW\n"), HasSubstr("this is a seccomp profile"));
  EXPECT_THAT(refusal("{\"ociVersion\": \"1.0.2\", \"linux\": {}}"), HasSubstr("config.json"));
  const std::string group = "apiVersion: security-profiles-operator.x-k8s.io/";
  EXPECT_THAT(
      refusal(group + "v1beta1\nkind: SeccompProfile\nspec: {defaultAction: SCMP_ACT_ERRNO}\n"),
      AllOf(StartsWith("web.yaml:1:13: this is a SeccompProfile of the Security Profiles Operator"),
            HasSubstr("seccompProfile")));
  EXPECT_THAT(refusal(group + "v1alpha1\nkind: ProfileRecording\nspec: {recorder: bpf}\n"),
              HasSubstr("mode: learn"));
  EXPECT_THAT(refusal(group + "v1alpha1\nkind: ProfileBinding\n"), HasSubstr("a rule of a Policy"));
  EXPECT_THAT(refusal(group + "v1alpha2\nkind: AppArmorProfile\n"),
              HasSubstr("AppArmorProfile of the Security"));
  EXPECT_THAT(refusal("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"),
              StartsWith("web.yaml:2:7: this is a Pod of 'v1', not a document of Ward"));
  EXPECT_THAT(read_policy(docker, "p.yaml").error().message, HasSubstr("seccomp profile"));
  EXPECT_THAT(read_node_config(docker, "wardd.yaml").error().message, HasSubstr("seccomp profile"));
  EXPECT_THAT(read_kind(docker, "x").error().message, HasSubstr("seccomp profile"));
}

TEST(ForeignDocuments, AMisspeltDocumentOfWardIsStillOurs) {
  EXPECT_THAT(read_kind("apiVersion: ward.dev/v1alpha1\nkind: Proflie\n", "x").error().message,
              StartsWith("x:2:7: kind cannot be 'Proflie': it is one of Profile, Policy or "
                         "NodeConfig (did you mean 'Profile'?)"));
  EXPECT_THAT(
      refusal("apiVersion: v1\nkind: Profile\nmetadata: {name: web}\nspec: {syscalls: {}}\n"),
      StartsWith("web.yaml:1:13: apiVersion cannot be 'v1': it is ward.dev/v1alpha1"));
  EXPECT_THAT(read_kind("- a\n", "x").error().message,
              StartsWith("x:1:1: the document must be a map, not a list"));
  EXPECT_THAT(read_kind("kind: Policy\nspec: {}\n", "x").value_or(""), "Policy");
}

}  // namespace
}  // namespace ward::profiles
