// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "lib/oci/seccomp.h"
#include "profiles/baselines/baselines.h"
#include "profiles/canonical.h"
#include "profiles/compile.h"
#include "profiles/effective.h"
#include "profiles/merge.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::profiles {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

ObservedSyscall seen(int nr, Origin origin = Origin::kWorkload,
                     std::map<std::uint32_t, ArgumentValues> arguments = {}) {
  return {nr, origin, 3, 10, 20, std::move(arguments)};
}

Run run_of(const std::string& id, std::vector<ObservedSyscall> syscalls) {
  Run run;
  run.id = id;
  run.no_new_privileges = true;
  run.syscalls = std::move(syscalls);
  return run;
}

Generated generated(std::vector<Run> runs) {
  auto result = generate({"web", "ebpf", std::move(runs)}, {});
  EXPECT_TRUE(result) << result.error().message;
  return result.value_or(Generated{});
}

const SyscallSet& serving(const Generated& g) { return g.profile.syscalls.at(Layer::kServing); }

TEST(Generate, ANothingIsNotAProfile) {
  const auto result = generate({"web", "ebpf", {}}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(result.error().message, HasSubstr("run it in mode learn"));
}

TEST(Generate, ALossyRecordingIsRefusedUnlessAskedFor) {
  profiles::Run run = run_of("a", {seen(SYS_read)});
  run.lost_events = 7;
  EXPECT_THAT(generate({"web", "ebpf", {run}}, {}).error().message, HasSubstr("lost 7 events"));
  const auto lossy = generate({"web", "ebpf", {run}}, {"", 1, true});
  ASSERT_TRUE(lossy);
  EXPECT_THAT(lossy->warnings, Contains(HasSubstr("lost 7 events")));
  EXPECT_EQ(lossy->profile.provenance.at("lostEvents"), "7");
}

TEST(Generate, RunsWithoutAStartGiveAProfileForRehearsalAlone) {
  profiles::Run joined = run_of("a", {seen(SYS_bind)});
  joined.start_seen = false;
  const Generated g = generated({joined});
  EXPECT_TRUE(g.profile.rehearsal);
  EXPECT_EQ(g.profile.provenance.at("startNotSeen"), "1 runs");
  EXPECT_THAT(g.profile.provenance.at("coverage"), HasSubstr("no start was seen"));
  EXPECT_THAT(g.warnings, Contains(HasSubstr("mode supervise alone")));
  const auto read = read_profile(write_generated(g), "web.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->rehearsal);
  EXPECT_TRUE(compile(*read)->rehearsal());
  // One run that saw a start is enough.
  const Generated both = generated({joined, run_of("b", {seen(SYS_listen)})});
  EXPECT_FALSE(both.profile.rehearsal);
  EXPECT_EQ(both.profile.provenance.at("startNotSeen"), "1 runs");
  EXPECT_FALSE(merge(g.profile, both.profile).rehearsal);
}

TEST(Generate, RunsAreUnited) {
  const Generated g = generated({run_of("a", {seen(SYS_bind)}), run_of("b", {seen(SYS_listen)})});
  EXPECT_THAT(serving(g), Contains(Key("bind")));
  EXPECT_THAT(serving(g), Contains(Key("listen")));
  EXPECT_EQ(g.profile.provenance.at("runs"), "2");
}

TEST(Generate, AFamilyIsLearnedAsOne) {
  const Generated g = generated({run_of(
      "a", {seen(SYS_openat), seen(SYS_epoll_wait), seen(SYS_newfstatat), seen(SYS_vfork)})});
  for (const char* name :
       {"open", "openat", "epoll_pwait", "stat", "statx", "fstat", "clone", "fork"}) {
    EXPECT_THAT(serving(g), Contains(Key(name)));
  }
  EXPECT_THAT(serving(g), Not(Contains(Key("openat2"))));
}

TEST(Generate, Clone3IsLearnedAsCloneWithoutNamespaces) {
  const Generated g = generated({run_of("a", {seen(SYS_clone3)})});
  EXPECT_THAT(serving(g), Not(Contains(Key("clone3"))));
  const SyscallSet effective = effective_layer(g.profile, Layer::kServing);
  EXPECT_EQ(effective.at("clone").args, (std::vector<ArgFilter>{{0, 0x7E020000, {0}}}));
}

TEST(Generate, TheBaseSetIsInForceThoughItWasNotSeen) {
  const SyscallSet effective =
      effective_layer(generated({run_of("a", {seen(SYS_bind)})}).profile, Layer::kServing);
  for (const char* name : {"rt_sigreturn", "restart_syscall", "exit_group", "tgkill",
                           "clock_gettime", "futex", "write", "munmap"}) {
    EXPECT_THAT(effective, Contains(Key(name)));
  }
}

TEST(Generate, SocketIsFilteredToTheFamiliesAndTypesThatWereSeen) {
  const Generated g = generated(
      {run_of("a",
              {seen(SYS_socket, Origin::kWorkload, {{0, {{1}, false}}, {1, {{0x80801}, false}}})}),
       run_of("b", {seen(SYS_socket, Origin::kWorkload, {{0, {{2}, false}}, {1, {{5}, false}}})})});
  EXPECT_EQ(serving(g).at("socket").args,
            (std::vector<ArgFilter>{{0, {}, {1, 2}}, {1, 0xF, {1, 2, 5}}}));
}

TEST(Generate, DangerousFamiliesAreLeftOutAndReported) {
  const Generated g = generated({run_of(
      "a", {seen(SYS_socket, Origin::kWorkload, {{0, {{2, 16, 38}, false}}, {1, {{1}, false}}})})});
  EXPECT_EQ(serving(g).at("socket").args.front(), (ArgFilter{0, {}, {2}}));
  ASSERT_EQ(g.left_out.size(), 2U);
  EXPECT_EQ(describe(g.left_out[0]), "socket(AF_NETLINK), in 1 run: talks to a part of the kernel");
  EXPECT_THAT(g.header, HasSubstr("socket(AF_ALG)"));
}

ObservedSyscall sockets(std::set<std::uint64_t> families, std::set<std::uint64_t> types,
                        bool overflowed = false) {
  return seen(SYS_socket, Origin::kWorkload,
              {{0, {std::move(families), false}}, {1, {std::move(types), overflowed}}});
}

// getaddrinfo(3) asks AF_NETLINK with SOCK_RAW: that must not open raw AF_INET sockets.
TEST(Generate, ATypeThatCameWithALeftOutFamilyGoesWithIt) {
  const Generated g = generated({run_of("a", {sockets({1, 2, 16}, {1, 2, 0x80003})})});
  EXPECT_EQ(serving(g).at("socket").args,
            (std::vector<ArgFilter>{{0, {}, {1, 2}}, {1, 0xF, {1, 2}}}));
  ASSERT_EQ(g.left_out.size(), 2U);
  EXPECT_EQ(describe(g.left_out[1]), "socket(SOCK_RAW), in 1 run");
  EXPECT_THAT(g.header, HasSubstr("socket(SOCK_RAW)"));
  EXPECT_THAT(g.warnings, Contains(HasSubstr("SOCK_RAW was only seen")));
}

TEST(Generate, ATypeStaysWhereARunUsedItWithoutTheLeftOutFamily) {
  const Generated ping =
      generated({run_of("a", {sockets({2, 16}, {3})}), run_of("b", {sockets({2}, {3})})});
  EXPECT_EQ(serving(ping).at("socket").args.back(), (ArgFilter{1, 0xF, {1, 2, 3}}));
  // AF_ALG has no raw sockets, and AF_UNIX may have any type.
  const Generated raw = generated({run_of("a", {sockets({1, 2, 38}, {3, 5})})});
  EXPECT_EQ(serving(raw).at("socket").args.back(), (ArgFilter{1, 0xF, {1, 2, 3, 5}}));
  const Generated inet = generated({run_of("a", {sockets({2, 38}, {1, 5})})});
  EXPECT_EQ(serving(inet).at("socket").args.back(), (ArgFilter{1, 0xF, {1, 2}}));
}

ObservedSyscall tuples(std::set<ArgumentTuple> together, bool overflowed = false) {
  ObservedSyscall call = seen(SYS_socket);
  for (const ArgumentTuple& tuple : together) {
    for (std::uint32_t i = 0; i < 2; ++i) call.arguments[i].values.insert(tuple.at(i));
  }
  call.together = ArgumentTuples{std::move(together), overflowed};
  return call;
}

// What memcached and apache do: getaddrinfo asks NETLINK_ROUTE.
TEST(Generate, F31_WhatCameTogetherIsKeptTogether) {
  const Generated g =
      generated({run_of("a", {tuples({{1, 0x80001, 0}, {2, 0x80802, 17}, {16, 0x80003, 0}})}),
                 run_of("b", {tuples({{2, 1, 6}})})});
  EXPECT_EQ(serving(g).at("socket"), (SyscallEntry{"socket", {{0, {}, {1, 2}}, {1, 0xF, {1, 2}}}}));
  ASSERT_EQ(g.left_out.size(), 1U) << "SOCK_RAW is netlink's alone, and no doubt is left";
  EXPECT_EQ(describe(g.left_out[0]),
            "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), in 1 run: asks the kernel for addresses "
            "and routes "
            "(getaddrinfo, getifaddrs, if_nameindex)");
  EXPECT_TRUE(g.warnings.empty());
}

TEST(Generate, F31_AnotherTypeIsAllowedToThoseFamiliesOnlyThatUsedIt) {
  const Generated ping =
      generated({run_of("a", {tuples({{1, 5, 0}, {2, 3, 1}, {2, 2, 0}, {10, 1, 0}})})});
  const SyscallEntry& socket = serving(ping).at("socket");
  const auto allows = [&](std::uint64_t family, std::uint64_t type) {
    return covers_entry(socket, {"socket", {{0, {}, {family}}, {1, 0xF, {type}}}});
  };
  EXPECT_TRUE(allows(1, 5) && allows(2, 3) && allows(2, 1) && allows(10, 2));
  EXPECT_FALSE(allows(1, 3) || allows(2, 5) || allows(10, 3));
  EXPECT_EQ(read_profile(write_generated(ping), "again.yaml").value(), ping.profile);
}

TEST(Generate, F31_OldAndOverflowedRecordingsAreReadAsBefore) {
  for (const ObservedSyscall& other :
       {sockets({2, 16}, {1, 3}), tuples({{2, 1, 0}, {16, 3, 0}}, true)}) {
    const Generated g = generated({run_of("a", {tuples({{2, 1, 0}})}), run_of("b", {other})});
    EXPECT_EQ(serving(g).at("socket").args.front(), (ArgFilter{0, {}, {2}}));
    EXPECT_EQ(g.left_out.front().what, "socket(AF_NETLINK)");
  }
}

bool allows(const node::v1::CompiledProfile& profile, int nr,
            const std::array<std::uint64_t, 3>& args) {
  const auto holds = [&](const node::v1::ArgCondition& c) {
    const std::uint64_t value = args.at(c.index());
    return c.op() == node::v1::ArgCondition::MASKED_EQ ? (value & c.value()) == c.value_two()
                                                       : value == c.value();
  };
  return std::any_of(profile.syscalls().begin(), profile.syscalls().end(), [&](const auto& rule) {
    const auto& alternatives = rule.alternatives();
    return static_cast<int>(rule.nr()) == nr &&
           (alternatives.empty() ||
            std::any_of(alternatives.begin(), alternatives.end(), [&](const auto& one) {
              return std::all_of(one.conditions().begin(), one.conditions().end(), holds);
            }));
  });
}

// What a bundle is for needs one line; with the capability that it is not for, the call itself.
TEST(Generate, F31_GetaddrinfoIsSignedForByItsName) {
  const Generated g = generated({run_of("a", {tuples({{1, 1, 0}, {16, 0x80003, 0}, {16, 2, 0}})})});
  std::string text = write_generated(g);
  EXPECT_THAT(text, HasSubstr("  # accept:\n  #   - {bundle: getaddrinfo, reason: WHY}\n"));
  EXPECT_EQ(text.find("bundle"), text.rfind("bundle")) << "once, for both types\n" << text;
  EXPECT_THAT(text, Not(HasSubstr("# {name: socket")));
  for (const auto& [what, by] :
       std::vector<std::pair<std::string, std::string>>{{"# accept:", "accept:"},
                                                        {"#   - {bundle", "  - {bundle"},
                                                        {"reason: WHY", "reason: as we agreed"}})
    text.replace(text.find(what), what.size(), by);
  const auto profile = read_profile(text, "web.yaml");
  ASSERT_TRUE(profile) << profile.error().message << text;
  EXPECT_THAT(still_left_out(*profile), ::testing::IsEmpty());
}

// The lines of generate, with their comment signs taken off and a reason written, are a profile
// that opens that tuple and nothing beside it.
TEST(Generate, F31_TheLinesToPasteOpenExactlyWhatWasSeen) {
  profiles::Run admin =
      run_of("a", {tuples({{1, 1, 0}, {16, 0x80003, 0}, {38, 5, 0}}), seen(SYS_mount)});
  admin.capabilities.push_back({"CAP_NET_ADMIN", Origin::kWorkload, 1});
  const Generated g = generated({admin});
  std::string text = write_generated(g);
  EXPECT_EQ(read_profile(text, "web.yaml").value(), g.profile) << "comments say nothing";
  EXPECT_THAT(text,
              HasSubstr("      # {name: socket, args: [{index: 0, oneOf: [AF_NETLINK]}, {index: 1, "
                        "mask: 0xf, oneOf: [SOCK_RAW]}, {index: 2, oneOf: [NETLINK_ROUTE]}]},\n"));
  std::string pasted;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    std::string line = text.substr(at, end - at);
    const auto sign = line.find("# ");
    const bool wanted = line.find("AF_NETLINK") != std::string::npos || line == "  # accept:\n";
    if (line.front() == ' ' && sign != std::string::npos && wanted) line.erase(sign, 2);
    if (const auto why = line.find("WHY"); line.front() == ' ' && why != std::string::npos)
      line.replace(why, 3, "\"getaddrinfo asks for addresses\"");
    pasted += line;
    at = end;
  }
  const auto profile = read_profile(pasted, "web.yaml");
  ASSERT_TRUE(profile) << profile.error().message << "\n" << pasted;
  const auto compiled = compile(*profile);
  ASSERT_TRUE(compiled) << compiled.error().message;
  const auto filter = compile_to_oci(*profile, Supervision::kSupervised);
  ASSERT_TRUE(filter) << filter.error().message;
  const auto loaded = ward::testing::SeccompEvaluator::compile(*filter);
  ASSERT_TRUE(loaded) << loaded.error().message;
  // The kernel's program may ask about what the profile allows; it never lets pass what that does
  // not.
  const auto allowed = [&](std::uint64_t family, std::uint64_t type, std::uint64_t protocol) {
    const bool by_profile = allows(*compiled, SYS_socket, {family, type, protocol});
    const std::uint32_t by_filter = loaded->evaluate(SYS_socket, {family, type, protocol});
    EXPECT_TRUE(by_filter == SECCOMP_RET_USER_NOTIF ||
                (by_profile && by_filter == SECCOMP_RET_ALLOW));
    return by_profile;
  };
  EXPECT_TRUE(allowed(16, 3, 0));
  EXPECT_TRUE(allowed(16, 0x80803, 0)) << "with SOCK_CLOEXEC and SOCK_NONBLOCK";
  EXPECT_TRUE(allowed(1, 2, 0));
  for (const std::uint64_t netfilter : {12U, 9U, 15U, 16U}) EXPECT_FALSE(allowed(16, 3, netfilter));
  EXPECT_FALSE(allowed(16, 2, 0));
  EXPECT_FALSE(allowed(1, 3, 0)) << "SOCK_RAW came with netlink";
  EXPECT_FALSE(allowed(2, 3, 0));
  EXPECT_FALSE(allowed(38, 5, 0));
}

TEST(Generate, F32_AProfileSaysWhatItWasMadeWithoutUntilThatIsAllowed) {
  const Generated g =
      generated({run_of("a", {tuples({{1, 1, 0}, {16, 3, 0}}), seen(SYS_io_uring_setup)})});
  EXPECT_THAT(serving(g), Contains(Key("io_submit")))
      << "what io_uring falls back to was not recorded";
  EXPECT_THAT(
      still_left_out(g.profile),
      ::testing::ElementsAre("io_uring_setup", "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)"));
  Profile half = g.profile;  // as people signed before: the family, and not its type
  half.syscalls[Layer::kServing]["socket"].args[0].one_of = {1, 16};
  half.accept = {{"socket", "getaddrinfo asks", {{0, {}, {16}}}, {}}};
  EXPECT_THAT(still_left_out(half), Contains("socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)"));
  Profile whole = g.profile;
  whole.syscalls[Layer::kServing]["socket"].more = {{{0, {}, {16}}, {1, 0xF, {3}}, {2, {}, {0}}}};
  EXPECT_THAT(still_left_out(whole), ::testing::ElementsAre("io_uring_setup"));
  for (const char* hostile :
       {"(", ")", "; ; ;", "socket(", "socket()", "socket(AF_NETLINK", "mount(1, 2, 3, 4, 5, 6, 7)",
        "socket(AF_NOTHING)", "\x1b[31m", "clone()"}) {
    whole.provenance["leftOut"] = hostile;
    static_cast<void>(still_left_out(whole));
  }
}

TEST(Generate, PacketSocketsOfAfInetAreNeverLearnt) {
  const Generated g = generated({run_of("a", {sockets({2}, {1, 10})})});
  EXPECT_EQ(serving(g).at("socket").args.back(), (ArgFilter{1, 0xF, {1, 2}}));
  EXPECT_THAT(g.header, HasSubstr("socket(SOCK_PACKET)"));
}

TEST(Generate, UnknownTypesBesideALeftOutFamilyAreTheUsualOnes) {
  const Generated g = generated({run_of("a", {sockets({2, 16}, {1, 3}, true)})});
  EXPECT_EQ(serving(g).at("socket").args.back(), (ArgFilter{1, 0xF, {1, 2, 5}}));
  EXPECT_THAT(g.warnings, Contains(HasSubstr("not all types are known")));
}

TEST(Generate, ASocketThatWasOnlyDangerousIsLeftOutWhole) {
  const Generated g = generated(
      {run_of("a", {seen(SYS_bind), seen(SYS_socket, Origin::kWorkload, {{0, {{38}, false}}})})});
  EXPECT_THAT(serving(g), Not(Contains(Key("socket"))));
}

TEST(Generate, DangerousCallsAreNeverAllowedByLearningAlone) {
  const Generated g = generated(
      {run_of("a", {seen(SYS_bind), seen(SYS_mount), seen(SYS_ptrace), seen(SYS_io_uring_setup),
                    seen(SYS_unshare), seen(SYS_bpf), seen(SYS_personality)})});
  EXPECT_EQ(g.left_out.size(), 6U);
  for (const LeftOut& left_out : g.left_out)
    EXPECT_THAT(effective_union(g.profile), Not(Contains(Key(left_out.syscall))));
}

Run refused_in(Run run, std::vector<ObservedSyscall> refused) {
  run.refused = std::move(refused);
  return run;
}

TEST(Generate, F01_WhatTheOwnFilterRefusedIsListedOverAllRuns) {
  const auto g = generated(
      {refused_in(run_of("a", {seen(SYS_read)}), {seen(SYS_get_mempolicy)}),
       refused_in(run_of("b", {seen(SYS_read)}), {seen(SYS_io_uring_setup), seen(SYS_clone3)})});
  EXPECT_THAT(g.profile.refused,
              ::testing::ElementsAre(Key("get_mempolicy"), Key("io_uring_setup")))
      << "clone3 is answered by every profile";
  EXPECT_TRUE(g.profile.accept.empty());
  EXPECT_THAT(serving(g), Not(Contains(Key("io_uring_setup"))));
  EXPECT_TRUE(read_profile(write_yaml(g.profile, g.header), "web.yaml"));
}

TEST(Generate, F01_OfTheDangerSetOnlyTheValuesThatWereTried) {
  const auto g = generated({refused_in(
      run_of("a", {seen(SYS_socket, Origin::kWorkload, {{0, {{2}, false}}, {1, {{1}, false}}}),
                   seen(SYS_clone)}),
      {seen(SYS_socket, Origin::kWorkload, {{0, {{40}, false}}}),
       seen(SYS_clone, Origin::kWorkload, {{0, {{0x10000011}, false}}}),
       seen(SYS_unshare, Origin::kWorkload, {{0, {{0x20000}, false}}}),
       seen(SYS_personality, Origin::kWorkload, {{0, {{8}, true}}})})});
  const auto filter = [&](const char* name) { return g.profile.refused.at(name).args; };
  EXPECT_EQ(filter("socket"), (std::vector<ArgFilter>{{0, {}, {40}}}));
  EXPECT_EQ(filter("clone"), (std::vector<ArgFilter>{{0, 0x7E020000, {0x10000000}}}));
  EXPECT_EQ(filter("unshare"), (std::vector<ArgFilter>{{0, {}, {0x20000}}}));
  EXPECT_TRUE(filter("personality").empty()) << "not all values are known";
}

TEST(Generate, F01_WhatOnlyAnExecSessionTriedOfTheDangerSetIsNotListed) {
  const auto g =
      generated({refused_in(run_of("a", {seen(SYS_read)}),
                            {seen(SYS_keyctl, Origin::kExec), seen(SYS_quotactl, Origin::kExec)})});
  EXPECT_THAT(g.profile.refused, ::testing::ElementsAre(Key("quotactl")));
  EXPECT_THAT(g.warnings, Contains(HasSubstr("keyctl was refused to exec sessions only")));
}

TEST(Generate, NamespacesMadeByCloneAreReported) {
  const Generated g = generated(
      {run_of("a", {seen(SYS_clone, Origin::kWorkload, {{0, {{0x1200011, 0x10020011}, false}}})})});
  ASSERT_EQ(g.left_out.size(), 1U);
  EXPECT_EQ(g.left_out[0].what, "clone(CLONE_NEWNS|CLONE_NEWUSER)");
}

TEST(Generate, OverflowedValuesGiveNoFilterOfHalfTheTruth) {
  const Generated g =
      generated({run_of("a", {seen(SYS_setsockopt, Origin::kWorkload, {{1, {{1, 6}, true}}}),
                              seen(SYS_socket, Origin::kWorkload, {{0, {{2}, true}}})})});
  EXPECT_TRUE(serving(g).at("setsockopt").args.empty());
  EXPECT_EQ(serving(g).at("socket").args, (std::vector<ArgFilter>{{0, {}, {1, 2, 10}}}));
  EXPECT_THAT(g.warnings, Contains(HasSubstr("not all families are known")));
}

TEST(Generate, RubbishInTheUpperHalfOfAnIntIsIgnoredAsTheKernelIgnoresIt) {
  const Generated g = generated({run_of(
      "a", {seen(SYS_setsockopt, Origin::kWorkload, {{1, {{1, 0x7fff00000006}, false}}})})});
  EXPECT_EQ(serving(g).at("setsockopt").args, (std::vector<ArgFilter>{{1, 0xFFFFFFFF, {1, 6}}}));
}

TEST(Generate, WhatOnlyExecSessionsDidIsInTheExecLayer) {
  const Generated g =
      generated({run_of("a", {seen(SYS_bind), seen(SYS_getpgrp, Origin::kExec),
                              seen(SYS_bind, Origin::kExec), seen(SYS_read, Origin::kExec)})});
  const SyscallSet& exec = g.profile.syscalls.at(Layer::kExec);
  EXPECT_THAT(exec, Contains(Key("getpgrp")));
  EXPECT_THAT(exec, Not(Contains(Key("bind"))));
  EXPECT_THAT(exec, Not(Contains(Key("read"))));
  EXPECT_THAT(serving(g), Not(Contains(Key("getpgrp"))));
}

TEST(Generate, CapabilitiesOfTheWorkloadAreKeptThoseOfExecReported) {
  profiles::Run run = run_of("a", {seen(SYS_bind)});
  run.capabilities = {{"CAP_SETUID", Origin::kWorkload, 1},
                      {"CAP_CHOWN", Origin::kWorkload, 1},
                      {"CAP_SYS_ADMIN", Origin::kWorkload, 1},
                      {"CAP_KILL", Origin::kExec, 1}};
  const Generated g = generated({run});
  EXPECT_EQ(g.profile.capabilities, (std::vector<std::string>{"CAP_CHOWN", "CAP_SETUID"}));
  ASSERT_EQ(g.left_out.size(), 1U);
  EXPECT_EQ(describe(g.left_out[0]), "CAP_SYS_ADMIN, 1 time in 1 run");
  EXPECT_THAT(g.warnings, Contains(HasSubstr("CAP_KILL was used by exec sessions only")));
}

TEST(Generate, ASetuidProgramTurnsNoNewPrivilegesOff) {
  profiles::Run run = run_of("a", {seen(SYS_bind)});
  run.no_new_privileges = false;
  EXPECT_TRUE(generated({run}).profile.no_new_privileges);
  run.programs = {"/usr/bin/sudo"};
  EXPECT_FALSE(generated({run}).profile.no_new_privileges);
}

TEST(Generate, WhatIsGeneratedReadsBackAndIsTheSameInAnyOrderOfRuns) {
  const profiles::Run a = run_of("a", {seen(SYS_socket, Origin::kWorkload, {{0, {{1}, false}}}),
                                       seen(SYS_prctl, Origin::kWorkload, {{0, {{15}, false}}})});
  const profiles::Run b =
      run_of("b", {seen(SYS_openat), seen(SYS_socket, Origin::kWorkload, {{0, {{2, 16}, false}}})});
  const Generated one = generated({a, b});
  const std::string text = write_yaml(one.profile, one.header);
  const auto again = read_profile(text, "web.yaml");
  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, one.profile);
  EXPECT_EQ(write_yaml(generated({b, a}).profile), write_yaml(one.profile));
}

TEST(Generate, I7_ARecordingCannotPutTextIntoTheFile) {
  profiles::Run run = run_of("a", {seen(SYS_bind)});
  run.runtime_sha256 = "x\nspec: {syscalls: {serving: [mount]}}";
  auto result = generate({"web", "ebpf\"\n\x1b[31m", {run}}, {});
  ASSERT_TRUE(result);
  const auto again = read_profile(write_yaml(result->profile, result->header), "web.yaml");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, result->profile);
  EXPECT_FALSE(generate({"../web", "ebpf", {run}}, {}));
}

TEST(Baselines, DockersDefaultAllows292CallsHere) {
  EXPECT_EQ(docker_default_unconditional().size(), 292U);
}

TEST(Generate, F06_AProfileSaysWhichCallsItKnewAndThatIsPartOfItsIdentity) {
  const Generated g = generated({run_of("a", {seen(SYS_read)})});
  ASSERT_TRUE(g.profile.knows);
  EXPECT_EQ(*g.profile.knows, newest_known_here());
  EXPECT_EQ(oci::find_syscall(g.profile.knows->name), static_cast<int>(g.profile.knows->number));
  Profile older = g.profile;
  older.knows = NewestKnown{450, "set_mempolicy_home_node"};
  EXPECT_NE(digest(older), digest(g.profile));
  EXPECT_TRUE(is_newer_than(older, 452));
  EXPECT_FALSE(is_newer_than(older, 450));
}

TEST(Generate, F06_Fchmodat2IsLearnedWithChmod) {
  if (!oci::find_syscall("fchmodat2")) GTEST_SKIP() << "this libseccomp does not know fchmodat2";
  EXPECT_THAT(serving(generated({run_of("a", {seen(SYS_chmod)})})), Contains(Key("fchmodat2")));
}

TEST(Generate, F26_RunsOfStrangersDoNotBecomeOneProfileUnasked) {
  const auto of = [](const std::string& id, const Source& source) {
    profiles::Run run = run_of(id, {seen(SYS_bind)});
    run.source = source;
    return run;
  };
  const Source cart = {"k8s.io", "shop", "cart-1", "app", "docker.io/shop/cart:1", "a"};
  Source replica = cart, other_image = cart, other_namespace = cart, other_layers = cart;
  replica.pod = "cart-2";
  other_image.image = "docker.io/shop/payment:1";
  other_namespace.kubernetes_namespace = "tests";
  other_layers.layers = "b";
  Observations observations{"app", "ebpf", {of("a", cart), of("b", replica), of("c", {})}};
  EXPECT_TRUE(generate(observations, {}))
      << "replicas, and a run of an older version, of which nothing is known";
  for (const Source& stranger : {other_image, other_namespace, other_layers}) {
    observations.runs[1] = of("b", stranger);
    const auto refused = generate(observations, {});
    ASSERT_FALSE(refused) << kind_of(stranger);
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(refused.error().message, HasSubstr("different images or namespaces"));
    GenerateOptions together;
    together.allow_mixed = true;
    const auto asked = generate(observations, together);
    ASSERT_TRUE(asked);
    EXPECT_THAT(asked->warnings, Contains(HasSubstr("several things")));
  }
}

}  // namespace
}  // namespace ward::profiles
