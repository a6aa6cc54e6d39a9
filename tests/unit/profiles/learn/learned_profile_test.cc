// SPDX-License-Identifier: Apache-2.0
// What was learned and is enforced on the same behaviour gives no violation; and what nobody did
// does not run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <random>

#include "profiles/compile.h"
#include "profiles/explain.h"
#include "profiles/harm/danger.h"
#include "profiles/learn/generate.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;
using ward::testing::SeccompEvaluator;

struct Call {
  int nr;
  std::array<std::uint64_t, 6> args;
};

// Calls with the arguments that programs really pass, drawn at random.
Call random_call(std::mt19937& random) {
  const auto pick = [&](std::initializer_list<std::uint64_t> values) {
    return *(values.begin() + random() % values.size());
  };
  switch (random() % 8) {
    case 0: return {SYS_socket, {pick({1, 2, 10}), pick({1, 2, 0x80801, 0x80002, 5}), 0}};
    case 1: return {SYS_socketpair, {1, pick({1, 2, 0x80001}), 0}};
    case 2: return {SYS_prctl, {pick({4, 15, 38, 8}), 1}};
    case 3: return {SYS_setsockopt, {7, pick({1, 6, 41, 0}), pick({2, 9, 15, 26})}};
    case 4: return {SYS_clone, {pick({0x1200011, 0x3d0f00, 0x4111}), 0}};
    default: break;
  }
  const auto& known = oci::known_syscalls();
  while (true) {
    const auto& [name, nr] =
        *std::next(known.begin(), static_cast<std::ptrdiff_t>(random() % known.size()));
    const bool watched =
        std::any_of(kWatchedArguments.begin(), kWatchedArguments.end(),
                    [&, called = name](const WatchedArgument& w) { return w.syscall == called; });
    if (!watched) return {nr, {random(), random(), random()}};
  }
}

Observations observe(const std::vector<std::vector<Call>>& runs) {
  Observations observations{"web", "ebpf", {}};
  for (const auto& calls : runs) {
    profiles::Run run;
    run.id = std::to_string(observations.runs.size());
    std::map<int, ObservedSyscall> seen;
    for (const Call& call : calls) {
      ObservedSyscall& observed = seen[call.nr];
      observed.nr = call.nr;
      ++observed.count;
      for (const WatchedArgument& watched : kWatchedArguments) {
        if (oci::find_syscall(watched.syscall) != call.nr) continue;
        ArgumentValues& values = observed.arguments[watched.index];
        if (values.values.size() >= kMaxArgumentValues &&
            !values.values.contains(call.args.at(watched.index))) {
          values.overflowed = true;
        } else {
          values.values.insert(call.args.at(watched.index));
        }
      }
    }
    for (const auto& [nr, observed] : seen) run.syscalls.push_back(observed);
    observations.runs.push_back(std::move(run));
  }
  return observations;
}

bool holds(const node::v1::ArgCondition& condition, const Call& call) {
  const std::uint64_t value = call.args.at(condition.index());
  if (condition.op() == node::v1::ArgCondition::EQ) return value == condition.value();
  return condition.op() == node::v1::ArgCondition::MASKED_EQ &&
         (value & condition.value()) == condition.value_two();
}

// The table's own word: what a supervisor answers to a call that the filter notifies, because its
// conditions are too many.
bool table_allows(const node::v1::CompiledProfile& compiled, const Call& call) {
  constexpr std::uint32_t kServing = 1U << 2U;
  return std::any_of(compiled.syscalls().begin(), compiled.syscalls().end(), [&](const auto& rule) {
    if (rule.nr() != static_cast<std::uint32_t>(call.nr) || (rule.layers() & kServing) == 0)
      return false;
    return rule.alternatives().empty() ||
           std::any_of(rule.alternatives().begin(), rule.alternatives().end(),
                       [&](const auto& alternative) {
                         return std::all_of(
                             alternative.conditions().begin(), alternative.conditions().end(),
                             [&](const auto& condition) { return holds(condition, call); });
                       });
  });
}

bool is_decided_elsewhere(const Call& call) {
  // execve is notified even when allowed, clone3 is answered ENOSYS, the danger set is left out.
  const std::string name = oci::find_syscall_name(call.nr).value_or("");
  return name == "execve" || name == "execveat" || name == "clone3" || is_dangerous_call(name);
}

TEST(LearnedProfile, GivesNoViolationOnWhatWasRecorded) {
  std::mt19937 random(4);  // NOLINT: the same workloads in every run
  for (int workload = 0; workload < 20; ++workload) {
    std::vector<std::vector<Call>> runs(3);
    for (auto& calls : runs) {
      for (int i = 0; i < 80; ++i) calls.push_back(random_call(random));
    }
    const auto generated = generate(observe(runs), {});
    ASSERT_TRUE(generated) << generated.error().message;
    // By way of the file, as a person applies it.
    const auto profile =
        read_profile(write_yaml(generated->profile, generated->header), "web.yaml");
    ASSERT_TRUE(profile) << profile.error().message;
    const auto seccomp = compile_to_oci(*profile, Supervision::kSupervised);
    ASSERT_TRUE(seccomp) << seccomp.error().message;
    const auto compiled = compile(*profile);
    ASSERT_TRUE(compiled) << compiled.error().message;
    const auto filter = SeccompEvaluator::compile(*seccomp);
    ASSERT_TRUE(filter) << filter.error().message;
    for (const auto& calls : runs) {
      for (const Call& call : calls) {
        if (is_decided_elsewhere(call)) continue;
        const std::string what = oci::find_syscall_name(call.nr).value_or("?") + "(" +
                                 std::to_string(call.args[0]) + ", " +
                                 std::to_string(call.args[1]) + ")";
        EXPECT_TRUE(table_allows(*compiled, call)) << what;
        const std::uint32_t answer = filter->evaluate(call.nr, call.args);
        EXPECT_TRUE(answer == SECCOMP_RET_ALLOW ||
                    (answer == SECCOMP_RET_USER_NOTIF && call.nr == SYS_socket))
            << what;
      }
    }
    for (const std::string_view name : dangerous_calls()) {
      if (const auto nr = oci::find_syscall(name)) {
        EXPECT_EQ(filter->evaluate(*nr), SECCOMP_RET_USER_NOTIF) << name;
      }
    }
    EXPECT_EQ(filter->evaluate(SYS_socket, {38, 5}), SECCOMP_RET_USER_NOTIF);
    EXPECT_EQ(filter->evaluate(SYS_clone, {0x10000011}), SECCOMP_RET_USER_NOTIF);
  }
}

TEST(Explain, SaysWhereACallIsAllowedAndWhoElseAllowsIt) {
  Profile profile;
  profile.name = "web";
  profile.syscalls[Layer::kBoot]["bind"] = {"bind", {}};
  profile.syscalls[Layer::kServing]["futex"] = {"futex", {}};
  EXPECT_EQ(format_explanation(*explain(profile, "bind")),
            "bind is allowed until the workload serves, and to exec sessions.\n"
            "  boot: any arguments (listed in boot)\n"
            "  harm class: reach\n"
            "  Docker's default: any arguments\n");
  EXPECT_EQ(format_explanation(*explain(profile, "futex")),
            "futex is allowed at any time.\n"
            "  serving: any arguments (listed in serving, baseline ward-baseline)\n"
            "  harm class: reach\n"
            "  Docker's default: any arguments\n");
  EXPECT_EQ(
      format_explanation(*explain(profile, "mount")),
      "mount is not allowed: the workload is met with quarantine, an exec session with deny.\n"
      "  harm class: danger\n"
      "  danger set: mount\n"
      "  Docker's default: not allowed\n");
  EXPECT_THAT(format_explanation(*explain(profile, "clone3")), HasSubstr("answered ENOSYS"));
  EXPECT_EQ(explain(profile, "mountt").error().message,
            "unknown syscall 'mountt' (did you mean 'mount'?)");
}

TEST(Explain, SaysWhatThePostureDoesAboutTheRest) {
  Profile profile;
  profile.name = "web";
  profile.posture = Posture::kBalanced;
  profile.accept = {{"", "it finds its servers", {}, {}, "getaddrinfo"}};
  const auto said = [&](const char* call) {
    return format_explanation(explain(profile, call).value());
  };
  EXPECT_THAT(said("mkdir"),
              HasSubstr("mkdir is not listed, and posture balanced lets it run and records it.\n"));
  EXPECT_THAT(said("getpriority"),
              HasSubstr("posture balanced lets some of it run; the rest is met "
                        "with quarantine, of an exec session with deny."));
  EXPECT_THAT(said("kill"), HasSubstr("where the number of a process is the caller's own"));
  EXPECT_THAT(said("tgkill"), ::testing::Not(HasSubstr("caller's own")))
      << "of the baseline, whole";
  EXPECT_THAT(said("connect"), HasSubstr("connect is not allowed: the workload is met with"));
  EXPECT_THAT(said("recvmsg"), HasSubstr("serving: any arguments (bundle getaddrinfo)"));
  profile.posture = Posture::kLenient;
  EXPECT_THAT(
      said("connect"),
      HasSubstr("connect is not listed, and posture lenient lets it run and records it.\n"));
  EXPECT_THAT(said("mount"), HasSubstr("mount is not allowed: "));
}

}  // namespace
}  // namespace ward::profiles
