// SPDX-License-Identifier: Apache-2.0
// Bad input first: every refusal names file:line:column and says what would be right (I9).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"
#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string document(const std::string& spec) {
  return "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web, version: "
         "7}\nspec:\n" +
         spec;
}

std::string error_of(const std::string& text) {
  const auto profile = read_profile(text, "web.yaml");
  return profile ? "accepted" : profile.error().message;
}

TEST(ReadProfile, ReadsTheExampleOfTheDesign) {
  const auto profile = read_profile(document(R"(  extends: [ward-baseline]
  architectures: [x86_64]
  noNewPrivileges: true
  boundary: {quiet: 10s, latest: 5m}
  syscalls:
    serving: [read, write, epoll_wait, {name: socket, args: [{index: 0, oneOf: [AF_UNIX, AF_INET]}]}]
    boot: [execve, bind, listen, setuid]
    exec: []
  accept: []
  capabilities: [CAP_NET_BIND_SERVICE]
  onViolation: {workload: {action: quarantine}, exec: {action: deny}}
provenance: {workload: shop/web, runs: 14, recorder: ebpf}
)"),
                                    "web.yaml");
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(profile->name, "web");
  EXPECT_EQ(profile->version, 7U);
  EXPECT_EQ(profile->syscalls.at(Layer::kServing).size(), 4U);
  const SyscallEntry& socket = profile->syscalls.at(Layer::kServing).at("socket");
  EXPECT_EQ(socket.args, (std::vector<ArgFilter>{{0, std::nullopt, {1, 2}}}));
  EXPECT_EQ(profile->syscalls.count(Layer::kExec), 0U);
  EXPECT_EQ(profile->capabilities, std::vector<std::string>{"CAP_NET_BIND_SERVICE"});
  EXPECT_EQ(profile->on_exec.action, Action::kDeny);
  EXPECT_EQ(profile->provenance.at("runs"), "14");
  EXPECT_EQ(read_profile(write_yaml(*profile), "again.yaml").value(), *profile);
}

TEST(ReadProfile, I9_AnUnknownSyscallIsRefusedWithItsPositionAndTheNearestName) {
  EXPECT_EQ(error_of(document("  syscalls:\n    serving: [read, clone33]\n")),
            "web.yaml:6:21: unknown syscall 'clone33' (did you mean 'clone3'?)");
}

TEST(ReadProfile, I9_AnUnknownCapabilityIsRefusedWithTheNearestName) {
  EXPECT_EQ(error_of(document("  syscalls: {serving: [read]}\n  capabilities: [CAP_CHOWNN]\n")),
            "web.yaml:6:18: unknown capability 'CAP_CHOWNN' (did you mean 'CAP_CHOWN'?)");
}

TEST(ReadProfile, I9_AnUnknownKeyIsRefusedWithTheNearestKey) {
  EXPECT_EQ(error_of(document("  syscall: {serving: [read]}\n  syscalls: {serving: [read]}\n")),
            "web.yaml:5:3: unknown key 'syscall' in spec (did you mean 'syscalls'?)");
}

TEST(ReadProfile, I9_SeveralErrorsAreReportedInTheOrderOfTheFile) {
  const std::string error = error_of(
      document("  noNewPrivileges: yes\n  syscalls: {serving: read}\n  capabilities: CAP_CHOWN\n"));
  EXPECT_EQ(error,
            "web.yaml:5:20: noNewPrivileges must be true or false, not 'yes'\n"
            "web.yaml:6:23: syscalls.serving must be a list in [brackets], not a single value\n"
            "web.yaml:7:17: capabilities must be a list in [brackets], not a single value");
}

TEST(ReadProfile, I9_AQuotedNumberIsNotANumber) {
  EXPECT_THAT(
      error_of(
          "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web, version: \"7\"}\n"
          "spec: {syscalls: {serving: [read]}}\n"),
      StartsWith("web.yaml:3:32: version must be a whole number, not a quoted text"));
}

struct Refusal {
  std::string name;
  std::string text;
  std::string message;  // a part of it
};

class Refuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refuses, I9_WithPositionAndReason) {
  const std::string error = error_of(GetParam().text);
  EXPECT_THAT(error, ContainsRegex("^web\\.yaml:[0-9]+:[0-9]+: "));
  EXPECT_THAT(error, HasSubstr(GetParam().message));
}

std::string name_of(const ::testing::TestParamInfo<Refusal>& refusal) { return refusal.param.name; }

std::string repeated(std::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

std::string nested(std::size_t depth) {
  return document("  x: " + std::string(depth, '[') + std::string(depth, ']') + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    HostileText, Refuses,
    ::testing::Values(
        Refusal{"Empty", "", "empty"}, Refusal{"OnlyBlanks", " \n\n  \n", "empty"},
        Refusal{"OnlyComments", "# nothing\n", "empty"},
        Refusal{"NullDocument", "---\n~\n", "empty"},
        Refusal{"AList", "[1, 2]\n", "the document must be a map, not a list"},
        Refusal{"TwoDocuments", document("  syscalls: {}\n") + "---\nx: 1\n", "a second document"},
        Refusal{"Anchor", document("  syscalls: &a {}\n"),
                "web.yaml:5:13: anchors are not allowed"},
        Refusal{"ScalarAnchor", "apiVersion: &x ward\n", "anchors are not allowed"},
        Refusal{"Alias", "a: &x 1\nb: *x\n", "anchors are not allowed"},
        Refusal{"AliasWithoutAnchor", "b: *x\n", "web.yaml:1:4"},
        Refusal{"Tag", document("  syscalls: !!map {}\n"), "tags are not allowed"},
        Refusal{"ScalarTag", "a: !!str x\n", "tags are not allowed"},
        Refusal{"MergeKey", "a: {<<: {b: 1}}\n", "merge keys are not allowed"},
        Refusal{"DuplicateKey", "kind: Profile\nkind: Profile\n",
                "web.yaml:2:1: duplicate key 'kind'"},
        Refusal{"ListAsKey", "? [a]\n: b\n", "a key must be a word"},
        Refusal{"TooDeep", nested(40), "nested deeper than 16"},
        Refusal{"FarTooDeep", document("  x: " + std::string(200'000, '[')), "web.yaml:"},
        Refusal{"DeepMaps", document("  x: " + std::string(100'000, '{')), "web.yaml:"},
        Refusal{"DeepDashes", repeated("- ", 60'000), "nested deeper"},
        Refusal{"DeepQuestions", repeated("? ", 60'000), "web.yaml:"},
        Refusal{"TooLarge", document("# " + std::string(kMaxYamlBytes, 'x') + "\n"),
                "larger than 256 KiB"},
        Refusal{"TooManyValues", "x: [" + repeated("1,", 30'000) + "]\n", "more than 20000 values"},
        Refusal{"NotUtf8", "kind: \xff\n", "web.yaml:1:7: not UTF-8 (byte 0xff)"},
        Refusal{"OverlongUtf8", "kind: \xc0\xaf\n", "not UTF-8"},
        Refusal{"SurrogateUtf8", "kind: \xed\xa0\x80\n", "not UTF-8"},
        Refusal{"Utf16", std::string("\xff\xfek\0i\0", 6), "not UTF-8"},
        Refusal{"NulByte", std::string("a\0b", 3), "control character"},
        Refusal{"Escape", "kind: \x1b[31m\n", "control character"},
        Refusal{"BrokenFlow", "a: [1, 2\n", "not valid YAML"},
        Refusal{"BrokenQuote", "a: \"x\n",
                "web.yaml:1:4: not valid YAML: the quote that begins here is never closed"},
        Refusal{"Tab", "a:\n\t- b\n", "web.yaml:"},
        Refusal{"Binary", "%YAML 9.9\n---\na: 1\n", "web.yaml:"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    HostileProfile, Refuses,
    ::testing::Values(
        Refusal{"NoSpec", "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web}\n",
                "the document needs 'spec'"},
        Refusal{"WrongKind",
                "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: web}\nspec: "
                "{syscalls: {}}\n",
                "web.yaml:2:7: kind is 'Policy', but a Profile is expected here"},
        Refusal{"WrongVersion",
                "apiVersion: v1\nkind: Profile\nmetadata: {name: web}\nspec: {syscalls: {}}\n",
                "apiVersion cannot be 'v1': it is ward.dev/v1alpha1"},
        Refusal{"NameWithSlash",
                "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: ../web}\nspec: "
                "{syscalls: {serving: "
                "[read]}}\n",
                "web.yaml:3:18: '../web' is not a name"},
        Refusal{"VersionZero",
                "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web, version: "
                "0}\nspec: {syscalls: "
                "{serving: [read]}}\n",
                "web.yaml:3:32: version starts at 1"},
        Refusal{"VersionOverflow",
                "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web, version: "
                "18446744073709551616}\nspec: {}\n",
                "is not a whole number"},
        Refusal{"VersionNegative",
                "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web, version: "
                "-1}\nspec: {}\n",
                "is not a whole number"},
        Refusal{"Clone3", document("  syscalls: {serving: [clone3]}\n"),
                "web.yaml:5:24: clone3 cannot be allowed"},
        Refusal{"Danger", document("  syscalls: {serving: [mount]}\n"),
                "web.yaml:5:24: mount is in the danger set: remove it, or sign"},
        Refusal{"SocketWithoutFilter", document("  syscalls: {serving: [socket]}\n"),
                "socket(AF_NETLINK) is in the danger set: add args"},
        Refusal{"SocketAlg",
                document("  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: [AF_INET, "
                         "AF_ALG]}]}]}\n"),
                "socket(AF_ALG) is in the danger set"},
        Refusal{"SocketAlgByUpperBits",
                document("  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: "
                         "[0x100000026]}]}]}\n"),
                "socket(AF_ALG) is in the danger set"},
        Refusal{"SocketAlgByMask",
                document("  syscalls: {serving: [{name: socket, args: [{index: 0, mask: 0x1, "
                         "oneOf: [0]}]}]}\n"),
                "in the danger set"},
        Refusal{"CloneNewUser",
                document("  syscalls: {serving: [{name: clone, args: [{index: 0, oneOf: "
                         "[CLONE_NEWUSER]}]}]}\n"),
                "clone with CLONE_NEWUSER is in the danger set"},
        Refusal{
            "AcceptWithoutReason",
            document("  syscalls: {serving: [mount]}\n  accept: [{syscall: mount, reason: ok}]\n"),
            "web.yaml:6:12: accept needs a reason"},
        Refusal{"ListedTwice", document("  syscalls: {serving: [read, read]}\n"),
                "web.yaml:5:30: 'read' is listed twice"},
        Refusal{
            "ArgIndex",
            document("  syscalls: {serving: [{name: socket, args: [{index: 6, oneOf: [1]}]}]}\n"),
            "index is 0 to 5"},
        Refusal{"ArgTwice",
                document("  syscalls: {serving: [{name: fcntl, args: [{index: 1, oneOf: [1]}, "
                         "{index: 1, oneOf: [2]}]}]}\n"),
                "two filters on argument 1"},
        Refusal{
            "ArgConstant",
            document(
                "  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: [AF_INTE]}]}]}\n"),
            "unknown value 'AF_INTE' (did you mean 'AF_INET'?)"},
        Refusal{
            "ArgEmpty",
            document("  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: []}]}]}\n"),
            "oneOf is empty"},
        Refusal{"ArgOutsideMask",
                document("  syscalls: {serving: [{name: fcntl, args: [{index: 1, mask: 0xf, oneOf: "
                         "[0x10]}]}]}\n"),
                "outside of the mask"},
        Refusal{
            "Action",
            document("  syscalls: {serving: [read]}\n  onViolation: {workload: {action: kil}}\n"),
            "action cannot be 'kil': it is one of log, deny, kill or quarantine (did you mean "
            "'kill'?)"},
        Refusal{"EscalateToMilder",
                document("  syscalls: {serving: [read]}\n  onViolation: {workload: {action: kill, "
                         "escalate: {to: deny, "
                         "after: 1, within: 1m}}}\n"),
                "escalate must be stricter than kill"},
        Refusal{"EscalateWithinAFraction",
                document("  syscalls: {serving: [read]}\n  onViolation: {workload: {action: deny, "
                         "escalate: {to: kill, "
                         "after: 1, within: 1500ms}}}\n"),
                "within is a whole number of seconds"},
        Refusal{"Duration",
                document("  syscalls: {serving: [read]}\n  boundary: {quiet: 10, latest: 5m}\n"),
                "web.yaml:6:21: quiet: '10' is not a duration"},
        Refusal{"BoundaryOrder",
                document("  syscalls: {serving: [read]}\n  boundary: {quiet: 10m, latest: 5m}\n"),
                "latest at least"},
        Refusal{"Baseline", document("  extends: [docker]\n  syscalls: {serving: [read]}\n"),
                "unknown baseline 'docker'"},
        Refusal{"Architecture",
                document("  architectures: [x86_64, x86]\n  syscalls: {serving: [read]}\n"),
                "only [x86_64]"},
        Refusal{"F06_KnowsTooLittle",
                document("  knows: {number: 12, name: brk}\n  syscalls: {serving: [read]}\n"),
                "web.yaml:5:10: knows names the newest call"},
        Refusal{
            "F06_KnowsTwoThings",
            document("  knows: {number: 450, name: futex_waitv}\n  syscalls: {serving: [read]}\n"),
            "number 450 is not 'futex_waitv' but 'set_mempolicy_home_node'"},
        Refusal{"F06_KnowsNoNumber",
                document("  knows: {number: 99999999999, name: futex_waitv}\n  syscalls: {serving: "
                         "[read]}\n"),
                "334 (rseq) or more"},
        Refusal{"ProvenanceList", document("  syscalls: {serving: [read]}\n") + "provenance: [a]\n",
                "provenance must be a map"}),
    name_of);

TEST(ReadProfile, ASignedDangerIsAllowed) {
  EXPECT_EQ(error_of(document("  syscalls: {serving: [mount, {name: socket, args: [{index: 0, "
                              "oneOf: [AF_INET, AF_NETLINK]}]}]}\n"
                              "  accept:\n    - {syscall: mount, reason: mounts its own tmpfs}\n"
                              "    - {syscall: socket, reason: asks for addresses, args: [{index: "
                              "0, oneOf: [AF_NETLINK]}]}\n")),
            "accepted");
}

TEST(ReadProfile, ASignatureForOneFamilyDoesNotCoverAnother) {
  EXPECT_THAT(error_of(document("  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: "
                                "[AF_ALG, AF_NETLINK]}]}]}\n"
                                "  accept: [{syscall: socket, reason: asks for addresses, args: "
                                "[{index: 0, oneOf: [AF_NETLINK]}]}]\n")),
              HasSubstr("socket(AF_ALG) is in the danger set"));
}

TEST(ReadProfile, F06_AProfileOfANewerNodeMayKnowCallsThatNobodyHereCanName) {
  EXPECT_EQ(
      error_of(document("  knows: {number: 470, name: listns}\n  syscalls: {serving: [read]}\n")),
      "accepted");
}

}  // namespace
}  // namespace ward::profiles
