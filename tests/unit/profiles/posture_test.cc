// SPDX-License-Identifier: Apache-2.0
// What the posture balanced adds to a profile, asked of the compiled tables: never more than the
// harm classes say, and nothing of the danger set.
#include "profiles/posture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <csignal>
#include <random>
#include <set>

#include "lib/oci/seccomp.h"
#include "profiles/canonical.h"
#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/filter/own_numbers.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/harm/harm_table.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint32_t kAnyLayer = ~0U;
constexpr std::uint64_t kUpperHalf = std::uint64_t{1} << 40U;

Profile profile_of(Posture posture) {
  Profile profile;
  profile.name = "web";
  profile.architectures = {"x86_64"};
  profile.posture = posture;
  profile.syscalls[Layer::kServing]["socket"] = {"socket", {{0, {}, {AF_UNIX}}}};
  return profile;
}

struct Tables {
  filter::CallTable calls, tolerated, danger;
  filter::OwnNumberTable own;
  static Tables of(Posture posture) {
    const auto compiled = compile(profile_of(posture)).value();
    return {filter::to_table(compiled), filter::to_tolerated(compiled), filter::to_danger(compiled),
            filter::OwnNumberTable(compiled)};
  }
  enum class Answer { kAllowed, kTolerated, kActs };
  [[nodiscard]] Answer answer(int nr, const filter::CallArgs& args = {},
                              const OwnNumbers& caller = {}) const {
    if (calls.allows(nr, args, filter::kAllowedInServing)) return Answer::kAllowed;
    if (danger.allows(nr, args, kAnyLayer)) return Answer::kActs;
    return tolerated.allows(nr, args, kAnyLayer) || own.allows(nr, args, caller)
               ? Answer::kTolerated
               : Answer::kActs;
  }
};

using Answer = Tables::Answer;

TEST(Posture, StrictAddsNothing) {
  EXPECT_TRUE(allowed_by(Posture::kStrict).empty());
  EXPECT_TRUE(tolerated_by(Posture::kStrict, {}).empty());
  const Tables strict = Tables::of(Posture::kStrict);
  for (const int nr : {SYS_getrusage, SYS_fsync, SYS_mkdir, SYS_execve})
    EXPECT_EQ(strict.answer(nr), Answer::kActs);
}

TEST(Posture, I11_BalancedAllowsWhatTouchesOnlyTheCallerAndToleratesWhatIsHeld) {
  const Tables balanced = Tables::of(Posture::kBalanced);
  // What stopped good workloads: autovacuum, a busy loop of busybox, event loops of Go.
  for (const int nr : {SYS_getrusage, SYS_rt_sigsuspend, SYS_sched_yield, SYS_clock_nanosleep,
                       SYS_timer_create, SYS_getitimer})
    EXPECT_EQ(balanced.answer(nr), Answer::kAllowed) << nr;
  EXPECT_EQ(balanced.answer(SYS_eventfd2, {0, EFD_NONBLOCK}), Answer::kTolerated)
      << "a mask takes too many conditions for the filter";
  EXPECT_EQ(balanced.answer(SYS_prctl, {PR_SET_NAME}), Answer::kTolerated) << "so do many values";
  EXPECT_EQ(balanced.answer(
                SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ULL, 0}),
            Answer::kAllowed);
  for (const int nr : {SYS_pwrite64, SYS_preadv, SYS_sendfile, SYS_io_submit})
    EXPECT_EQ(balanced.answer(nr), Answer::kAllowed) << "a program may live on it: " << nr;
  for (const int nr : {SYS_fsync, SYS_ftruncate, SYS_mkdir, SYS_rename, SYS_unlink, SYS_flock})
    EXPECT_EQ(balanced.answer(nr), Answer::kTolerated) << nr;
}

TEST(Posture, I3_BalancedActsOnNewReachAndOnTheDangerSet) {
  const Tables balanced = Tables::of(Posture::kBalanced);
  for (const int nr :
       {SYS_execve, SYS_fork, SYS_connect, SYS_bind, SYS_listen, SYS_memfd_create, SYS_openat2,
        SYS_ptrace, SYS_unshare, SYS_mount, SYS_io_uring_setup, SYS_bpf, SYS_process_vm_writev,
        SYS_splice, SYS_vmsplice, SYS_shmget, SYS_sendmsg, SYS_recvmsg, SYS_userfaultfd})
    EXPECT_EQ(balanced.answer(nr), Answer::kActs) << nr;
  EXPECT_EQ(balanced.answer(SYS_prctl, {PR_SET_PTRACER, 1}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_prctl, {PR_SET_MM, PR_SET_MM_MAP}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_prctl, {PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_prctl, {PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL}),
            Answer::kTolerated);
  EXPECT_EQ(balanced.answer(SYS_prctl, {PR_SET_SECCOMP, 2}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_prlimit64, {1, 7, 0x1000, 0}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_kill, {7, 9}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_socket, {AF_INET, SOCK_STREAM, 0}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_socket, {AF_NETLINK, SOCK_RAW, 0}), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_sendto, {3, 0x1000, 10, 0, 0x2000, 16}), Answer::kActs)
      << "with an address";
}

// What the profile says itself comes first: the posture takes no room from it in the filter.
TEST(Posture, I3_T36_ASignatureOfASessionsSocketOpensNothingElse) {
  Profile profile = profile_of(Posture::kBalanced);
  const ArgFilters route = {{0, {}, {AF_NETLINK}}, {1, 0xF, {SOCK_RAW}}, {2, {}, {0}}};
  profile.syscalls[Layer::kExec]["socket"] = {"socket", route};
  profile.accept.push_back({"socket", "getaddrinfo", route});
  const auto compiled = compile(profile);
  ASSERT_TRUE(compiled) << compiled.error().message;
  const filter::CallTable calls = filter::to_table(*compiled);
  const auto exec = [&](std::uint64_t family, std::uint64_t type, std::uint64_t protocol) {
    return calls.allows(SYS_socket, {family, type, protocol}, filter::kAllowedInExec);
  };
  EXPECT_TRUE(exec(AF_NETLINK, SOCK_RAW, 0));
  EXPECT_TRUE(exec(AF_INET, SOCK_STREAM, 6));
  EXPECT_FALSE(exec(AF_NETLINK, SOCK_RAW, 12));
  EXPECT_FALSE(exec(AF_NETLINK, SOCK_DGRAM, 0));
  EXPECT_FALSE(exec(AF_INET, SOCK_RAW, 0));
}

TEST(Posture, ConditionsOfTheProfileStayInTheFilter) {
  Profile profile = profile_of(Posture::kBalanced);
  profile.syscalls[Layer::kServing]["prctl"] = {"prctl", {{0, {}, {PR_SET_NAME, PR_GET_NAME}}}};
  profile.syscalls[Layer::kServing]["ioctl"] = {"ioctl", {{1, {}, {0x5401, 0x5413}}}};
  const auto made = compile(profile);
  ASSERT_TRUE(made) << made.error().message;
  const auto& compiled = *made;
  const filter::CallTable calls = filter::to_table(compiled);
  EXPECT_FALSE(calls.allows(SYS_prctl, {PR_GET_DUMPABLE}, filter::kAllowedInServing));
  EXPECT_TRUE(filter::to_tolerated(compiled).allows(SYS_prctl, {PR_GET_DUMPABLE}, kAnyLayer));
  const oci::Seccomp kernel = filter::complement_form(calls, filter::OwnFilter());
  std::size_t conditions = 0;
  std::set<std::string> filtered;
  for (const oci::SeccompRule& rule : kernel.rules) {
    conditions += rule.args.size();
    if (!rule.args.empty()) filtered.insert(rule.names.begin(), rule.names.end());
  }
  for (const char* name : {"prctl", "socket", "fcntl"})
    EXPECT_TRUE(filtered.contains(name)) << name;
  EXPECT_LT(conditions, 200U) << "of 320: a learned profile needs some, too";
}

TEST(Posture, ExecSessionsStartProgramsAndAskServers) {
  const auto compiled = compile(profile_of(Posture::kBalanced)).value();
  const filter::CallTable calls = filter::to_table(compiled);
  const auto exec = [&](int nr, const filter::CallArgs& args = {}) {
    return calls.allows(nr, args, filter::kAllowedInExec);
  };
  for (const int nr : {SYS_execve, SYS_fork, SYS_vfork, SYS_connect, SYS_sendmmsg, SYS_recvmsg}) {
    EXPECT_TRUE(exec(nr)) << nr;
    EXPECT_FALSE(calls.allows(nr, {}, filter::kAllowedInServing)) << "the workload has it not";
  }
  EXPECT_TRUE(exec(SYS_clone, {CLONE_CHILD_SETTID | SIGCHLD}));
  EXPECT_FALSE(exec(SYS_clone, {CLONE_NEWUSER | SIGCHLD}));
  EXPECT_TRUE(exec(SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC}));
  for (const std::uint64_t family :
       std::initializer_list<std::uint64_t>{AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK})
    EXPECT_FALSE(exec(SYS_socket, {family, SOCK_DGRAM})) << family;
  EXPECT_FALSE(exec(SYS_socket, {AF_INET, SOCK_RAW}));
  EXPECT_TRUE(exec(SYS_bind, {3, 0, sizeof(sockaddr_in6)})) << "the resolver of musl";
  EXPECT_FALSE(exec(SYS_bind, {3, 0, sizeof(sockaddr_un)}));
  for (const int nr : {SYS_execveat, SYS_listen, SYS_ptrace, SYS_unshare, SYS_mount,
                       SYS_process_vm_writev, SYS_memfd_create, SYS_io_uring_setup})
    EXPECT_FALSE(exec(nr)) << nr;
  EXPECT_FALSE(exec(SYS_setsockopt, {3, SOL_SOCKET, SO_ATTACH_FILTER}));
  const auto strict = filter::to_table(compile(profile_of(Posture::kStrict)).value());
  EXPECT_FALSE(strict.allows(SYS_execve, {}, filter::kAllowedInExec));
}

// The workload can reach what sessions have (docs/threat-model.md, T36), so new reach in it is a
// closed list. What it may not hold: ways to open more than a connection, and files elsewhere.
TEST(Posture, T36_TheLayerOfSessionsHoldsNoOtherReachThanProgramsAndConnections) {
  const std::set<std::string> programs_and_connections = {
      "bind",    "clone",    "connect", "execve", "fork",   "recvfrom", "recvmmsg",
      "recvmsg", "sendmmsg", "sendmsg", "sendto", "socket", "vfork"};
  std::set<std::string> names;
  for (const auto& [name, entry] : allowed_to_exec_by(Posture::kBalanced)) names.insert(name);
  EXPECT_EQ(names, programs_and_connections);
  const auto compiled = compile(profile_of(Posture::kBalanced)).value();
  const filter::CallTable calls = filter::to_table(compiled);
  for (const HarmCall& call : harm_calls()) {
    if (programs_and_connections.contains(std::string(call.name))) continue;
    for (const auto& rule : calls.rules_of(static_cast<int>(call.nr)))
      EXPECT_NE(rule.layers, filter::kLayerExec) << call.name << " is for sessions alone";
  }
}

constexpr OwnNumbers kCaller{7, 9};

TEST(Posture, I11_WhatIsTheCallersOwnIsLetRun) {
  const Tables strict = Tables::of(Posture::kStrict);
  for (const Posture posture : {Posture::kBalanced, Posture::kLenient}) {
    const Tables tables = Tables::of(posture);
    for (const auto& [nr, args] :
         std::vector<std::pair<int, filter::CallArgs>>{{SYS_kill, {7, SIGABRT}},
                                                       {SYS_tkill, {9, SIGABRT}},
                                                       {SYS_getpgid, {7}},
                                                       {SYS_setpgid, {7, 7}},
                                                       {SYS_setpgid, {0, 7}},
                                                       {SYS_prlimit64, {7, 7, 0, 0x1000}},
                                                       {SYS_setpriority, {0, 7, 5}}}) {
      EXPECT_EQ(tables.answer(nr, args, kCaller), Answer::kTolerated) << nr;
      EXPECT_EQ(strict.answer(nr, args, kCaller), Answer::kActs) << nr;
    }
  }
  const Tables balanced = Tables::of(Posture::kBalanced);
  EXPECT_EQ(balanced.answer(SYS_kill, {8, SIGABRT}, kCaller), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_setpgid, {7, 8}, kCaller), Answer::kActs);
  EXPECT_EQ(balanced.answer(SYS_setpriority, {1, 7, 5}, kCaller), Answer::kActs) << "of a group";
}

TEST(Posture, I3_LenientActsOnTheDangerSetAndOnNothingElse) {
  const Tables lenient = Tables::of(Posture::kLenient);
  for (const HarmCall& call : harm_calls()) {
    const int nr = static_cast<int>(call.nr);
    if (!oci::find_syscall_name(nr)) continue;  // no filter of this machine can name it
    if (call.harm == HarmClass::kDanger || call.name == "clone3") {
      EXPECT_EQ(lenient.answer(nr), Answer::kActs) << call.name;
    } else if (call.values.empty()) {
      EXPECT_NE(lenient.answer(nr), Answer::kActs) << call.name;
    }
  }
  EXPECT_EQ(lenient.answer(SYS_socket, {AF_INET, SOCK_STREAM, 0}), Answer::kTolerated);
  EXPECT_EQ(lenient.answer(SYS_clone, {SIGCHLD}), Answer::kTolerated);
  EXPECT_EQ(lenient.answer(SYS_clone, {CLONE_NEWUSER | SIGCHLD}), Answer::kActs);
  EXPECT_EQ(lenient.answer(SYS_prctl, {PR_SET_PTRACER, 1}), Answer::kTolerated);
  for (const std::uint64_t upper : {std::uint64_t{0}, kUpperHalf}) {
    EXPECT_EQ(lenient.answer(SYS_socket, {AF_ALG | upper, 5, 0}), Answer::kActs);
    EXPECT_EQ(lenient.answer(SYS_prctl, {PR_SET_SECCOMP | upper, 2}), Answer::kActs);
  }
  // Without the shim nobody looks for those values first: the export is that of balanced.
  const auto exported = compile_to_oci(profile_of(Posture::kLenient), Supervision::kUnsupervised);
  ASSERT_TRUE(exported) << exported.error().message;
  for (const oci::SeccompRule& rule : exported->rules) {
    for (const std::string& name : rule.names)
      EXPECT_TRUE(name != "connect" && name != "execveat" && name != "unshare") << name;
  }
}

// Values that classes.yaml names of the call and their neighbours, in every combination of chance.
TEST(Posture, I3_NoArgumentsMakeItWiderThanTheClasses) {
  const Tables strict = Tables::of(Posture::kStrict);
  const Tables balanced = Tables::of(Posture::kBalanced);
  std::mt19937_64 random(11);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
  const Tables lenient = Tables::of(Posture::kLenient);
  std::size_t milder = 0;
  for (const HarmCall& call : harm_calls()) {
    std::vector<std::uint64_t> values = {0,          1,     2,          7, 9, 7 | kUpperHalf,
                                         0xFFFFFFFF, ~0ULL, 1ULL << 40U};
    for (const HarmValue& value : call.values)
      for (const HarmCondition& condition : value.conditions)
        for (const std::uint64_t v : condition.values)
          for (const std::uint64_t near : {v, v | kUpperHalf, v + 1, v | ~condition.mask})
            values.push_back(near);
    for (int round = 0; round < 300; ++round) {
      filter::CallArgs args{};
      for (std::uint64_t& arg : args) arg = values[random() % values.size()];
      const int nr = static_cast<int>(call.nr);
      if (strict.answer(nr, args) == Answer::kAllowed) continue;
      KnownArguments known;
      for (std::size_t i = 0; i < args.size(); ++i) known.at(i) = args.at(i);
      const HarmClass harm = class_of(call, known, kCaller);
      ASSERT_TRUE(harm < HarmClass::kDanger || lenient.answer(nr, args, kCaller) == Answer::kActs)
          << call.name << " " << ::testing::PrintToString(args);
      const Answer answer = balanced.answer(nr, args, kCaller);
      if (answer == Answer::kActs) continue;
      ++milder;
      const HarmClass most =
          answer == Answer::kAllowed && !call.hot ? HarmClass::kSelf : HarmClass::kHeld;
      ASSERT_LE(harm, most) << call.name << " " << ::testing::PrintToString(args);
    }
  }
  EXPECT_GT(milder, 10'000U) << "else the test looks elsewhere";
}

TEST(Posture, AProfileFromBeforePosturesKeepsItsIdentity) {
  const Profile strict = profile_of(Posture::kStrict);
  const Profile balanced = profile_of(Posture::kBalanced);
  EXPECT_THAT(write_yaml(strict), Not(HasSubstr("posture")));
  EXPECT_THAT(write_yaml(balanced), HasSubstr("\n  posture: balanced\n"));
  EXPECT_NE(digest(strict), digest(balanced));
}

TEST(Posture, AnExportedFilterAllowsWhatTheSupervisorWouldLetRun) {
  const auto filter = compile_to_oci(profile_of(Posture::kBalanced), Supervision::kUnsupervised);
  ASSERT_TRUE(filter);
  const auto& plain = filter->rules.front().names;
  EXPECT_THAT(plain, ::testing::Contains("mkdir"));
  EXPECT_THAT(plain, ::testing::Contains("getrusage"));
  for (const char* name : {"io_uring_setup", "connect", "fork", "sendmsg"})
    EXPECT_THAT(plain, Not(::testing::Contains(name))) << "it cannot tell a session's call";
}

TEST(Posture, AWordThatIsNoneIsRefusedWithThoseThereAre) {
  EXPECT_EQ(parse_posture("balanced").value(), Posture::kBalanced);
  EXPECT_EQ(parse_posture("lenient").value(), Posture::kLenient);
  EXPECT_EQ(parse_posture("gentle").error().message,
            "'gentle' is no posture: write strict, balanced or lenient");
}

}  // namespace
}  // namespace ward::profiles
