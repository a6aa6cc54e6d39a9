// SPDX-License-Identifier: Apache-2.0
// What `ward why` says of a call, against what the compiled profile does with it.
#include "profiles/ruling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>

#include "lib/oci/seccomp.h"
#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;
using Kind = Ruling::Kind;

constexpr const char* kText = R"(apiVersion: ward.dev/v1alpha1
kind: Profile
metadata: {name: web, version: 7}
spec:
  extends: [container-default]
  architectures: [x86_64]
  posture: POSTURE
  syscalls:
    serving:
      - accept
      - {name: socket, args: [{index: 0, oneOf: [AF_UNIX]}]}
      - {name: clone, args: [{index: 0, mask: 0x7e020000, oneOf: [0]}]}
    boot: [execve, listen]
    exec: [mkdir]
  accept:
    - {bundle: getaddrinfo, reason: looks up names}
    - {syscall: ptrace, reason: a debugger}
  refused: [mount]
)";

std::string text_of(std::string_view posture, bool extends) {
  std::string text = kText;
  text.replace(text.find("POSTURE"), 7, posture);
  if (!extends) text.erase(text.find("  extends"), text.find("  arch") - text.find("  extends"));
  return text;
}

Ruling rule(const AskedCall& call, std::string_view posture = "strict", bool extends = false) {
  const std::string text = text_of(posture, extends);
  return rule_on(read_profile(text, "web.yaml").value(), profile_places(text), "web.yaml", call);
}
AskedCall call(std::string name, std::vector<std::uint64_t> args = {},
               Layer phase = Layer::kServing) {
  AskedCall out{std::move(name), {}, phase, Sessions::kLayer};
  for (std::size_t i = 0; i < args.size(); ++i) out.arguments.at(i) = args[i];
  return out;
}

TEST(Ruling, NamesTheLineThatAllowsAndTheLayer) {
  const Ruling ruling = rule(call("accept"));
  EXPECT_EQ(ruling.kind, Kind::kAllowed);
  EXPECT_EQ(ruling.rule.layer, "serving");
  EXPECT_EQ(ruling.rule.from, "listed in serving");
  EXPECT_EQ(ruling.rule.place, "web.yaml:9:9");
  EXPECT_EQ(rule(call("listen", {}, Layer::kBoot)).rule.place, "web.yaml:12:20");
  EXPECT_EQ(rule(call("mkdir", {}, Layer::kExec)).rule.layer, "exec");
}

TEST(Ruling, OfACallThatAnotherPhaseHasThatIsTheNearestRule) {
  const Ruling ruling = rule(call("listen"));
  EXPECT_EQ(ruling.kind, Kind::kActedUpon);
  EXPECT_EQ(ruling.rule.text, "onViolation.workload: quarantine");
  EXPECT_EQ(ruling.rule.from, "the default");
  EXPECT_EQ(ruling.nearest.place, "web.yaml:12:20");
  EXPECT_EQ(ruling.nearest_why, "the same call, until the workload serves");
}

TEST(Ruling, OfACallWithOtherArgumentsTheNearestRuleIsTheSameCall) {
  const Ruling ruling = rule(call("socket", {AF_INET6, SOCK_RAW, 0}));
  EXPECT_EQ(ruling.kind, Kind::kActedUpon);
  EXPECT_EQ(ruling.nearest.place, "web.yaml:10:9");
  EXPECT_EQ(ruling.nearest_why, "the same call with other arguments");
  EXPECT_EQ(rule(call("socket")).kind, Kind::kDepends);
}

TEST(Ruling, OfACallThatNobodyListsARelativeIsNearestOrNothing) {
  EXPECT_THAT(rule(call("accept4")).nearest.text, HasSubstr("accept: any arguments"));
  EXPECT_EQ(rule(call("swapon")).nearest.text, "");
}

TEST(Ruling, NamesBaselineBundlePostureAndSignature) {
  EXPECT_THAT(rule(call("rt_sigreturn")).rule.from, HasSubstr("ward-baseline"));
  EXPECT_EQ(rule(call("chroot"), "strict", true).kind, Kind::kActedUpon);
  const Ruling extended = rule(call("link"), "strict", true);
  EXPECT_EQ(extended.rule.from, "baseline container-default");
  EXPECT_EQ(extended.rule.place, "web.yaml:5:12");
  const Ruling lookup = rule(call("socket", {AF_NETLINK, SOCK_RAW, 0}));
  EXPECT_EQ(lookup.kind, Kind::kAllowed);
  EXPECT_EQ(lookup.signature, "looks up names");
  const Ruling held = rule(call("link"), "balanced");
  EXPECT_EQ(held.kind, Kind::kLetRun);
  EXPECT_EQ(held.rule.text, "posture: balanced");
  EXPECT_EQ(held.rule.place, "web.yaml:6:12");
  EXPECT_EQ(rule(call("getuid"), "balanced").kind, Kind::kAllowed);
}

TEST(Ruling, NamesTheDangerSetAndWhatTheOwnFilterMayRefuse) {
  const Ruling ruling = rule(call("mount"), "lenient");
  EXPECT_EQ(ruling.kind, Kind::kActedUpon);
  EXPECT_TRUE(ruling.danger);
  EXPECT_THAT(ruling.verdict, HasSubstr("danger set"));
  EXPECT_THAT(ruling.refused, HasSubstr("own filter refuses it, that is no violation"));
  EXPECT_EQ(rule(call("clone3")).kind, Kind::kNewer);
}

// As the shim decides: from the compiled tables.
TEST(Ruling, I13_SaysOfEveryCallInEveryPhaseWhatTheCompiledProfileDoes) {
  std::mt19937 random(7);
  for (const std::string_view posture : {"strict", "balanced", "lenient"}) {
    const Profile profile = read_profile(text_of(posture, false), "web.yaml").value();
    const auto compiled = compile(profile).value();
    const auto calls = filter::to_table(compiled);
    const auto tolerated = filter::to_tolerated(compiled);
    const auto danger = filter::to_danger(compiled);
    for (const HarmCall& known : harm_calls()) {
      if (!oci::find_syscall(known.name) || known.name == "clone3" || known.name == "write")
        continue;
      for (int round = 0; round < 3; ++round) {
        filter::CallArgs args{};
        for (auto& arg : args) arg = random() % 3 == 0 ? random() : random() % 48;
        for (const auto& [phase, layers] : {std::pair(Layer::kBoot, filter::kAllowedInBoot),
                                            std::pair(Layer::kServing, filter::kAllowedInServing),
                                            std::pair(Layer::kExec, filter::kAllowedInExec)}) {
          const int nr = static_cast<int>(known.nr);
          Kind expected = Kind::kActedUpon;
          if (calls.allows(nr, args, layers)) {
            expected = Kind::kAllowed;
          } else if (!danger.allows(nr, args, ~0U) && tolerated.allows(nr, args, ~0U)) {
            expected = Kind::kLetRun;
          }
          const Ruling said =
              rule_on(profile, {}, "web.yaml",
                      call(std::string(known.name), {args.begin(), args.end()}, phase));
          EXPECT_EQ(ruling_name(said.kind), ruling_name(expected))
              << known.name << "(" << args[0] << ", " << args[1] << ", " << args[2] << ") in "
              << filter::layer_name(phase) << ", posture " << posture << ": " << said.verdict;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ward::profiles
