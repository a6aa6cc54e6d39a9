// SPDX-License-Identifier: Apache-2.0
// What nothing but a signature allows: capabilities that reach beyond the container, options of
// prctl, and what a baseline brings.
#include "profiles/harm/danger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "profiles/baselines/baselines.h"
#include "profiles/compile.h"
#include "profiles/diff.h"
#include "profiles/effective.h"
#include "profiles/filter/call_tables.h"
#include "profiles/learn/generate.h"
#include "profiles/merge.h"
#include "profiles/validate.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ward::testing::SeccompEvaluator;

constexpr const char* kReaching[] = {
    "CAP_BPF",          "CAP_CHECKPOINT_RESTORE", "CAP_DAC_READ_SEARCH", "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE", "CAP_NET_ADMIN",          "CAP_PERFMON",         "CAP_SYSLOG",
    "CAP_SYS_ADMIN",    "CAP_SYS_BOOT",           "CAP_SYS_MODULE",      "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",    "CAP_SYS_TIME",           "CAP_AUDIT_CONTROL",   "CAP_AUDIT_READ"};

Result<Profile> read(const std::string& spec) {
  return read_profile(
      "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: web}\nspec:\n" + spec,
      "web.yaml");
}

std::string error_of(const std::string& spec) {
  const auto profile = read(spec);
  return profile ? "accepted" : profile.error().message;
}

TEST(Danger, H02_ACapabilityThatReachesBeyondTheContainerNeedsASignature) {
  for (const std::string name : kReaching) {
    EXPECT_THAT(
        error_of("  syscalls: {serving: [read]}\n  capabilities: [CAP_CHOWN, " + name + "]\n"),
        HasSubstr("web.yaml:6:29: " + name + " is in the danger set: it "));
    const auto with =
        read("  syscalls: {serving: [read]}\n  capabilities: [" + name +
             "]\n  accept: [{capability: " + name + ", reason: the debugger of this node}]\n");
    ASSERT_TRUE(with) << name << ": " << with.error().message;
    EXPECT_EQ(read_profile(write_yaml(*with), "again.yaml").value(), *with);
    EXPECT_TRUE(compile(*with));
  }
}

TEST(Danger, H02_ASignatureForOneCapabilityOpensNoOtherAndNoneOfTheCalls) {
  const std::string accept =
      "  accept: [{capability: CAP_SYS_PTRACE, reason: the debugger of this node}]\n";
  EXPECT_THAT(
      error_of("  syscalls: {serving: [read]}\n  capabilities: [CAP_SYS_ADMIN, CAP_SYS_PTRACE]\n" +
               accept),
      HasSubstr("CAP_SYS_ADMIN is in the danger set"));
  EXPECT_THAT(
      error_of("  syscalls: {serving: [ptrace]}\n  capabilities: [CAP_SYS_PTRACE]\n" + accept),
      HasSubstr("ptrace is in the danger set"));
  EXPECT_THAT(error_of("  syscalls: {serving: [read]}\n  capabilities: [CAP_SYS_PTRACE]\n"
                       "  accept: [{syscall: ptrace, reason: the debugger of this node}]\n"),
              HasSubstr("CAP_SYS_PTRACE is in the danger set"));
}

TEST(Danger, H02_ASignatureForACapabilityIsRefusedWhereItSaysNothingOrTooMuch) {
  const std::string head =
      "  syscalls: {serving: [read]}\n  capabilities: [CAP_SYS_PTRACE]\n  accept: [{";
  EXPECT_THAT(error_of(head + "capability: CAP_SYS_PTRACE, reason: why}]\n"),
              HasSubstr("needs a reason"));
  EXPECT_THAT(error_of(head + "capability: CAP_SYS_PTRACE}]\n"), HasSubstr("reason"));
  EXPECT_THAT(error_of(head + "capability: CAP_SYS_PTRAC, reason: the debugger}]\n"),
              HasSubstr("did you mean 'CAP_SYS_PTRACE'?"));
  EXPECT_THAT(
      error_of(head + "capability: CAP_SYS_PTRACE, syscall: ptrace, reason: the debugger}]\n"),
      HasSubstr("neither syscall nor args"));
  EXPECT_THAT(error_of(head + "capability: \"\", reason: the debugger}]\n"),
              HasSubstr("needs a name"));
}

TEST(Danger, H02_GenerateLeavesSuchACapabilityOutAndSaysSo) {
  Observations seen;
  seen.workload = "debugger";
  profiles::Run run;
  run.id = "r1";
  run.syscalls.push_back({SYS_read, Origin::kWorkload, 1, 0, 0, {}});
  run.capabilities = {{"CAP_CHOWN", Origin::kWorkload, 1},
                      {"CAP_SYS_PTRACE", Origin::kWorkload, 3}};
  seen.runs = {run};
  const auto generated = generate(seen, {});
  ASSERT_TRUE(generated) << generated.error().message;
  EXPECT_EQ(generated->profile.capabilities, std::vector<std::string>{"CAP_CHOWN"});
  ASSERT_EQ(generated->left_out.size(), 1U);
  EXPECT_EQ(describe(generated->left_out[0]), "CAP_SYS_PTRACE, 3 times in 1 run");
  EXPECT_THAT(generated->header, HasSubstr("CAP_SYS_PTRACE"));
}

constexpr const char* kRoute =
    "[{index: 0, oneOf: [AF_NETLINK]}, {index: 1, mask: 0xf, oneOf: [SOCK_RAW]}, {index: 2, oneOf: "
    "[NETLINK_ROUTE]}]";

std::string sockets(const std::string& listed, const std::string& signed_for) {
  return "  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: [AF_UNIX]}]}, {name: "
         "socket, args: " +
         listed + "}]}\n" +
         (signed_for.empty()
              ? ""
              : "  accept: [{syscall: socket, reason: as agreed, args: " + signed_for + "}]\n");
}

TEST(Danger, F31_ASignatureOpensOneTupleAndNothingElse) {
  EXPECT_EQ(error_of(sockets(kRoute, kRoute)), "accepted");
  EXPECT_EQ(error_of(sockets(kRoute, "[{index: 0, oneOf: [AF_NETLINK]}]")), "accepted")
      << "one for the family is wider";

  // Wider than what was signed: the family, another protocol, another type.
  EXPECT_THAT(error_of(sockets("[{index: 0, oneOf: [AF_NETLINK]}]", kRoute)),
              HasSubstr("socket(AF_NETLINK) is in the"));
  for (const char* other :
       {"[{index: 0, oneOf: [AF_NETLINK]}, {index: 1, mask: 0xf, oneOf: [SOCK_RAW]}, {index: 2, "
        "oneOf: [NETLINK_ROUTE, NETLINK_NETFILTER]}]",
        "[{index: 0, oneOf: [AF_NETLINK]}, {index: 1, mask: 0x7, oneOf: [3]}, {index: 2, oneOf: "
        "[0]}]",
        "[{index: 0, mask: 0xffff, oneOf: [AF_NETLINK]}, {index: 1, mask: 0xf, oneOf: [SOCK_RAW]}, "
        "{index: 2, oneOf: [0]}]"}) {
    EXPECT_THAT(error_of(sockets(other, kRoute)), HasSubstr("is in the danger set")) << other;
  }
  // A signature that does not name the family signs for none.
  EXPECT_THAT(error_of(sockets(kRoute, "[{index: 2, oneOf: [NETLINK_ROUTE]}]")),
              HasSubstr("is in the danger set"));
}

TEST(Danger, F31_TheErrorHasTheSignatureThatFits) {
  EXPECT_THAT(error_of(sockets(kRoute, "")),
              HasSubstr("accept: [{syscall: socket, reason: \"why it is needed\", args: " +
                        std::string(kRoute) + "}]"));
}

TEST(Danger, F31_ACallMayBeListedWithSeveralArgumentsThatBelongTogether) {
  const auto profile = read(sockets(kRoute, kRoute));
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_EQ(read_profile(write_yaml(*profile), "again.yaml").value(), *profile);
  const SyscallEntry& socket = profile->syscalls.at(Layer::kServing).at("socket");
  EXPECT_EQ(describe_arguments(socket),
            "argument 0 is AF_UNIX; or argument 0 is AF_NETLINK, and argument 1 & 0xf is SOCK_RAW, "
            "and argument 2 is "
            "NETLINK_ROUTE");
  EXPECT_EQ(merge(socket, socket), socket);
  const SyscallEntry inet{"socket", {{0, {}, {2}}}};
  EXPECT_EQ(merge(socket, inet), merge(inet, socket));
  EXPECT_TRUE(covers_entry(merge(socket, inet), socket) && covers_entry(merge(socket, inet), inet));
  EXPECT_FALSE(covers_entry(merge(socket, inet), {"socket", {{0, {}, {16}}}}));
  EXPECT_THAT(error_of("  syscalls: {serving: [socketpair, {name: socketpair, args: [{index: 0, "
                       "oneOf: [1]}]}]}\n"),
              HasSubstr("one of the two allows any arguments"));
  EXPECT_THAT(error_of("  syscalls: {serving: [read, read]}\n"), HasSubstr("listed twice"));
}

TEST(Danger, F32_LintNamesWhatIsSignedAndNotListedValuesIncluded) {
  const auto warnings_of = [](const std::string& spec) {
    const auto profile = read(spec);
    EXPECT_TRUE(profile) << profile.error().message;
    std::string text;
    for (const Finding& finding : validate(profile.value_or(Profile{})))
      text += finding.message + "\n";
    return text;
  };
  const std::string family = "[{index: 0, oneOf: [AF_NETLINK]}]";
  EXPECT_EQ(warnings_of(sockets(kRoute, kRoute)), "");
  EXPECT_THAT(warnings_of(sockets("[{index: 0, oneOf: [AF_INET]}]", kRoute)),
              HasSubstr("nothing allows socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE): list {name: "
                        "socket, args: "));
  EXPECT_THAT(
      warnings_of(
          "  syscalls: {serving: [read]}\n  accept: [{syscall: keyctl, reason: as agreed}]\n"),
      HasSubstr("nothing allows keyctl: list {name: keyctl} under syscalls too"));
}

constexpr const char* kBundle = "  accept: [{bundle: getaddrinfo, reason: it finds its servers}]\n";

TEST(Danger, F32_ABundleIsListedByItsSignatureAndOpensNothingBeside) {
  const auto profile = read(
      "  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: [AF_UNIX, AF_INET]}]}, "
      "{name: bind, args: [{index: 2, oneOf: [16]}]}]}\n" +
      std::string(kBundle));
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_TRUE(validate(*profile).empty()) << validate(*profile).front().message;
  EXPECT_EQ(read_profile(write_yaml(*profile), "again.yaml").value(), *profile);
  const auto compiled = compile(*profile);
  ASSERT_TRUE(compiled) << compiled.error().message;
  const filter::CallTable calls = filter::to_table(*compiled);
  const auto allows = [&](int nr, const filter::CallArgs& args) {
    return calls.allows(nr, args, filter::kAllowedInServing);
  };
  EXPECT_TRUE(allows(SYS_socket, {16, 3, 0}) && allows(SYS_socket, {16, 0x80002, 0}));
  EXPECT_TRUE(allows(SYS_socket, {2, 1, 6}));
  EXPECT_TRUE(allows(SYS_bind, {3, 0x1000, 12}) && allows(SYS_bind, {3, 0x1000, 16}));
  EXPECT_TRUE(allows(SYS_sendto, {3, 0x1000, 20, 0, 0x2000, 12}));
  EXPECT_TRUE(allows(SYS_recvmsg, {3}) && allows(SYS_getsockname, {3}));
  // Not another protocol, type or family, and no address of another length.
  for (const filter::CallArgs& other :
       std::vector<filter::CallArgs>{{16, 3, 12}, {16, 1, 0}, {16, 5, 0}, {10, 3, 0}, {17, 3, 0}})
    EXPECT_FALSE(allows(SYS_socket, other)) << ::testing::PrintToString(other);
  EXPECT_FALSE(allows(SYS_bind, {3, 0x1000, 28}) || allows(SYS_sendto, {3, 0, 20, 0, 0, 28}));
}

TEST(Danger, F32_ABundleIsRefusedWhereItWouldOpenMoreAndWhereItIsNone) {
  EXPECT_THAT(
      error_of("  syscalls: {serving: [read]}\n  capabilities: [CAP_NET_ADMIN]\n"
               "  accept: [{bundle: getaddrinfo, reason: it finds its servers},\n"
               "           {capability: CAP_NET_ADMIN, reason: it is a router}]\n"),
      HasSubstr("bundle getaddrinfo is not for a workload with CAP_NET_ADMIN, which changes "
                "routes and addresses by the same socket"));
  EXPECT_THAT(error_of("  syscalls: {serving: [read]}\n"
                       "  accept: [{bundle: resolver, reason: it finds its servers}]\n"),
              HasSubstr("unknown bundle 'resolver': there are getaddrinfo"));
  EXPECT_THAT(error_of("  syscalls: {serving: [read]}\n  accept: [{bundle: getaddrinfo, reason: it "
                       "finds its servers, syscall: socket}]\n"),
              HasSubstr("a signature for a bundle has no syscall: write two"));
  EXPECT_THAT(error_of("  syscalls: {serving: [read]}\n"
                       "  accept: [{bundle: getaddrinfo, reason: why}]\n"),
              HasSubstr("a reason that a reviewer can judge"));
}

TEST(Danger, H02_ADiffMarksSuchACapability) {
  const Profile without = read("  syscalls: {serving: [read]}\n").value();
  Profile with = without;
  with.capabilities = {"CAP_CHOWN", "CAP_SYS_PTRACE"};
  EXPECT_THAT(format_diff(diff(without, with)),
              HasSubstr("+ CAP_CHOWN\n+ CAP_SYS_PTRACE  (danger set)\n"));
}

TEST(Danger, H02_MergingKeepsTheSignaturesOfBoth) {
  const std::string calls = "  syscalls: {serving: [read]}\n";
  const auto signed_profile = [&](const std::string& name) {
    return read(calls + "  capabilities: [" + name + "]\n  accept: [{capability: " + name +
                ", reason: as agreed}]\n")
        .value();
  };
  const Profile both = merge(signed_profile("CAP_SYS_PTRACE"), signed_profile("CAP_BPF"));
  EXPECT_EQ(both.accept.size(), 2U);
  EXPECT_TRUE(compile(both));
}

TEST(Danger, H08_TheFallbackHasNothingOfTheDangerSet) {
  EXPECT_THAT(baseline_profile().accept, IsEmpty());
  for (const auto& [name, entry] : effective_union(baseline_profile()))
    EXPECT_EQ(describe_danger(entry), "") << name;
  for (const std::string& name : baseline_profile().capabilities) {
    for (const std::string reaching : kReaching) EXPECT_NE(name, reaching);
  }
}

TEST(Danger, H08_TheFilterOfTheFallbackStopsPrctlByItsDangerousOptionsAlone) {
  const auto filter = compile_to_oci(baseline_profile(), Supervision::kSupervised);
  ASSERT_TRUE(filter) << filter.error().message;
  const auto loaded = SeccompEvaluator::compile(*filter);
  ASSERT_TRUE(loaded) << loaded.error().message;
  constexpr std::uint64_t kUpperHalf = 1ULL << 40U;  // which the kernel does not look at
  for (const std::uint64_t option : {22ULL, 35ULL}) {
    EXPECT_EQ(loaded->evaluate(SYS_prctl, {option, 14}), SECCOMP_RET_USER_NOTIF) << option;
    EXPECT_EQ(loaded->evaluate(SYS_prctl, {option | kUpperHalf, 14}), SECCOMP_RET_USER_NOTIF)
        << option;
  }
  for (std::uint64_t option = 0; option < 200; ++option) {
    if (option == 22 || option == 35) continue;
    EXPECT_EQ(loaded->evaluate(SYS_prctl, {option}), SECCOMP_RET_ALLOW) << option;
    EXPECT_EQ(loaded->evaluate(SYS_prctl, {option | kUpperHalf}), SECCOMP_RET_ALLOW) << option;
  }
  for (const std::uint64_t option : {0x53564d41ULL, 0x59616d61ULL, 0xFFFFFFFFULL}) {
    EXPECT_EQ(loaded->evaluate(SYS_prctl, {option}), SECCOMP_RET_ALLOW) << option;
  }
  EXPECT_EQ(loaded->evaluate(SYS_seccomp, {1}), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(loaded->evaluate(SYS_socket, {16, 3, 0}), SECCOMP_RET_USER_NOTIF);
}

TEST(Danger, H08_WhatABaselineBringsIsSignedForLikeWhatTheProfileLists) {
  const std::string error =
      error_of("  extends: [docker-default]\n  syscalls: {serving: [read]}\n");
  EXPECT_THAT(error,
              HasSubstr("web.yaml:5:12: baseline docker-default allows what is in the danger set"));
  EXPECT_THAT(error, HasSubstr("seccomp"));
  EXPECT_EQ(error_of("  extends: [container-default]\n  syscalls: {serving: [read]}\n"),
            "accepted");
  EXPECT_EQ(error_of("  extends: [docker-default]\n  syscalls: {serving: [read]}\n  accept:\n"
                     "    - {syscall: personality, reason: as Docker does}\n    - {syscall: prctl, "
                     "reason: as Docker does}\n"
                     "    - {syscall: seccomp, reason: as Docker does}\n    - {syscall: socket, "
                     "reason: as Docker does}\n"),
            "accepted");
}

// 38 & 0x13 is 2: AF_ALG, which neither of the two filters admits, would pass their union.
TEST(Danger, H08_TheUnionWithABaselineOpensNothingThatNeitherSignsFor) {
  const std::string own =
      "  syscalls: {serving: [{name: socket, args: [{index: 0, mask: 0x13, oneOf: [1]}]}]}\n";
  EXPECT_EQ(error_of(own), "accepted");
  EXPECT_THAT(error_of("  extends: [container-default]\n" + own),
              HasSubstr("together with its baselines the profile allows what is in the danger set "
                        "(socket(AF_ALG))"));
  EXPECT_EQ(
      error_of("  extends: [container-default]\n"
               "  syscalls: {serving: [{name: socket, args: [{index: 0, oneOf: [AF_UNIX]}]}]}\n"),
      "accepted");
}

TEST(Danger, H08_AProfileMayAllowAllOptionsButSome) {
  const auto but = [](const std::string& options) {
    return "  syscalls: {serving: [{name: prctl, args: [{index: 0, noneOf: [" + options +
           "]}]}]}\n";
  };
  const auto profile = read(but("PR_SET_SECCOMP, PR_SET_MM"));
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_THAT(write_yaml(*profile), HasSubstr("{index: 0, noneOf: [PR_SET_SECCOMP, PR_SET_MM]}"));
  EXPECT_EQ(read_profile(write_yaml(*profile), "again.yaml").value(), *profile);
  EXPECT_EQ(describe_arguments(profile->syscalls.at(Layer::kServing).at("prctl")),
            "argument 0 is anything but PR_SET_SECCOMP or PR_SET_MM");
  EXPECT_THAT(error_of(but("PR_SET_SECCOMP")), HasSubstr("prctl(PR_SET_MM) is in the danger set"));
  EXPECT_THAT(error_of(but("PR_SET_NAME")), HasSubstr("is in the danger set"));
  EXPECT_EQ(error_of(but("PR_SET_SECCOMP") + "  accept: [{syscall: prctl, reason: it restores, "
                                             "args: [{index: 0, oneOf: [PR_SET_MM]}]}]\n"),
            "accepted");
  EXPECT_THAT(error_of(but("0x100000016")), HasSubstr("can never be equal"));
  EXPECT_THAT(error_of("  syscalls: {serving: [{name: prctl, args: [{index: 0, mask: 0xff, noneOf: "
                       "[22, 35]}]}]}\n"),
              HasSubstr("noneOf stands alone"));
  EXPECT_THAT(error_of("  syscalls: {serving: [{name: prctl, args: [{index: 0, noneOf: []}]}]}\n"),
              HasSubstr("noneOf is empty"));
  EXPECT_THAT(
      error_of(
          "  syscalls: {serving: [{name: clone, args: [{index: 0, noneOf: [CLONE_NEWNS]}]}]}\n"),
      HasSubstr("is in the danger set"));
  EXPECT_THAT(
      error_of(
          "  syscalls: {serving: [{name: prctl, args: [{index: 0, oneOf: [PR_SET_SECCOMP]}]}]}\n"
          "  accept: [{syscall: prctl, reason: all of them, args: [{index: 0, noneOf: "
          "[PR_SET_NAME]}]}]\n"),
      HasSubstr("name the values with oneOf"));
}

// Every value of a small domain, by brute force: the union admits what either admits, and covers()
// tells the truth.
TEST(Danger, H08_UnionsWithExclusionsAdmitWhatEitherAdmits) {
  const auto filters = [] {
    std::vector<ArgFilter> all;
    for (std::uint64_t bits = 1; bits < 16; ++bits) {
      ArgFilter one{0, std::nullopt, {}, {}}, masked{0, 0x3, {}, {}}, none{0, std::nullopt, {}, {}};
      for (std::uint64_t value = 0; value < 4; ++value) {
        if ((bits >> value & 1U) == 0) continue;
        one.one_of.push_back(value * 2);
        masked.one_of.push_back(value);
        none.none_of.push_back(value * 2);
      }
      all.insert(all.end(), {one, masked, none});
    }
    return all;
  }();
  const auto admits = [](const std::vector<ArgFilter>& args, std::uint64_t x) {
    if (args.empty()) return true;
    const ArgFilter& f = args.front();
    const auto in = [](const std::vector<std::uint64_t>& list, std::uint64_t v) {
      return std::find(list.begin(), list.end(), v) != list.end();
    };
    return f.none_of.empty() ? in(f.one_of, x & f.mask.value_or(~0ULL))
                             : !in(f.none_of, x & 0xFFFFFFFFU);
  };
  for (const ArgFilter& a : filters) {
    for (const ArgFilter& b : filters) {
      const SyscallEntry both = merge(SyscallEntry{"prctl", {a}}, SyscallEntry{"prctl", {b}});
      EXPECT_EQ(both, merge(SyscallEntry{"prctl", {b}}, SyscallEntry{"prctl", {a}}));
      const bool wide_covers = covers(std::vector<ArgFilter>{a}, std::vector<ArgFilter>{b});
      for (std::uint64_t x = 0; x < 16; ++x) {
        const bool either = admits({a}, x) || admits({b}, x);
        EXPECT_TRUE(!either || admits(both.args, x));
        EXPECT_TRUE(!wide_covers || !admits({b}, x) || admits({a}, x));
      }
      EXPECT_TRUE(covers(both.args, std::vector<ArgFilter>{a}) &&
                  covers(both.args, std::vector<ArgFilter>{b}));
    }
  }
}

}  // namespace
}  // namespace ward::profiles
