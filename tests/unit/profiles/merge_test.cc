// SPDX-License-Identifier: Apache-2.0
#include "profiles/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "lib/oci/seccomp.h"
#include "profiles/canonical.h"
#include "profiles/diff.h"
#include "profiles/effective.h"

namespace ward::profiles {
namespace {

using ::testing::IsEmpty;

// Profiles of a few calls and values, so that collisions are common.
Profile random_profile(std::mt19937& random) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Profile profile;
  profile.name = std::string(1, static_cast<char>('a' + pick(3)));
  profile.version = 1 + static_cast<std::uint64_t>(pick(3));
  profile.architectures = {"x86_64"};
  profile.no_new_privileges = pick(2) == 0;
  for (const Layer layer : {Layer::kBoot, Layer::kServing, Layer::kExec}) {
    for (const char* name : {"bind", "listen", "fcntl", "prctl", "setsockopt"}) {
      if (pick(2) == 0) continue;
      SyscallEntry entry{name, {}};
      for (std::uint32_t index = 0; index < 2; ++index) {
        if (pick(2) == 0) continue;
        ArgFilter filter{index, std::nullopt, {}};
        if (pick(3) == 0) filter.mask = pick(2) == 0 ? 0xF : 0x3;
        for (int i = 0; i <= pick(3); ++i)
          filter.one_of.push_back(static_cast<std::uint64_t>(pick(4)));
        entry.args.push_back(filter);
      }
      profile.syscalls[layer][name] = entry;
    }
  }
  for (const char* name : {"CAP_CHOWN", "CAP_KILL", "CAP_SETUID"}) {
    if (pick(2) == 0) profile.capabilities.emplace_back(name);
  }
  if (pick(2) == 0)
    profile.accept.push_back({"mount", pick(2) == 0 ? "reason one" : "reason two", {}});
  profile.on_workload.action = static_cast<Action>(pick(4));
  return normalize(profile);
}

TEST(Merge, IsIdempotentCommutativeAndAssociative) {
  std::mt19937 random(1);  // NOLINT: the same profiles in every run
  for (int i = 0; i < 300; ++i) {
    const Profile a = random_profile(random), b = random_profile(random),
                  c = random_profile(random);
    EXPECT_EQ(merge(a, a), a);
    EXPECT_EQ(merge(a, b), merge(b, a));
    EXPECT_EQ(merge(merge(a, b), c), merge(a, merge(b, c)));
  }
}

TEST(Merge, NeverTakesAnythingAway) {
  std::mt19937 random(2);  // NOLINT
  for (int i = 0; i < 300; ++i) {
    const Profile a = random_profile(random), b = random_profile(random);
    const ProfileDiff difference = diff(a, merge(a, b));
    EXPECT_THAT(difference.narrowed, IsEmpty());
    EXPECT_THAT(difference.capabilities_removed, IsEmpty());
  }
}

TEST(Merge, FiltersAreUnitedAndACallWithoutFilterWins) {
  const SyscallEntry unix_only{"socket", {{0, {}, {1}}}},
      inet_stream{"socket", {{0, {}, {2}}, {1, 0xF, {1}}}}, any{"socket", {}};
  EXPECT_EQ(merge(unix_only, inet_stream).args, (std::vector<ArgFilter>{{0, {}, {1, 2}}}));
  EXPECT_THAT(merge(unix_only, any).args, IsEmpty());
}

TEST(Diff, EqualMeaningIsNoDifference) {
  std::mt19937 random(3);  // NOLINT
  const Profile a = random_profile(random);
  EXPECT_TRUE(diff(a, a).empty());
  Profile b = a;
  b.extends = {"ward-baseline"};  // which is always added
  EXPECT_TRUE(diff(a, b).empty());
}

TEST(Diff, SaysWhatIsWiderAndWhatIsNarrowerWithArguments) {
  Profile a, b;
  a.syscalls[Layer::kServing]["socket"] = {"socket", {{0, {}, {1, 2}}}};
  a.syscalls[Layer::kServing]["bind"] = {"bind", {}};
  b.syscalls[Layer::kServing]["socket"] = {"socket", {{0, {}, {2, 38}}}};
  b.syscalls[Layer::kBoot]["mount"] = {"mount", {}};
  b.capabilities = {"CAP_CHOWN"};
  b.on_workload.action = Action::kDeny;
  const ProfileDiff d = diff(a, b);
  EXPECT_TRUE(d.widens());
  EXPECT_EQ(
      format_diff(d),
      "+ serving socket: argument 0 is AF_UNIX or AF_INET -> argument 0 is AF_INET or AF_ALG  "
      "(danger set)\n"
      "+ boot mount: not allowed -> any arguments  (danger set)\n"
      "- serving bind: any arguments -> not allowed\n"
      "- serving socket: argument 0 is AF_UNIX or AF_INET -> argument 0 is AF_INET or AF_ALG\n"
      "+ CAP_CHOWN\n"
      "~ onViolation.workload: quarantine -> deny\n");
}

TEST(Merge, F06_TheUnionKnowsWhatBothKnew) {
  Profile a, b, all;
  a.knows = NewestKnown{450, "set_mempolicy_home_node"};
  b.knows = NewestKnown{456, "futex_requeue"};
  EXPECT_EQ(merge(a, b).knows, a.knows);
  EXPECT_EQ(merge(b, a).knows, a.knows);
  EXPECT_EQ(merge(all, b).knows, b.knows);
  EXPECT_EQ(format_diff(diff(a, b)),
            "~ knows: set_mempolicy_home_node (450) -> futex_requeue (456)\n");
}

TEST(Covers, AMaskIsWiderThanTheValuesItAdmits) {
  EXPECT_TRUE(covers({{0, 0xF, {1}}}, {{0, {}, {1, 0x11}}}));
  EXPECT_FALSE(covers({{0, {}, {1}}}, {{0, 0xF, {1}}}));
  EXPECT_TRUE(covers({}, {{0, {}, {1}}}));
  EXPECT_FALSE(covers({{0, {}, {1}}}, {}));
}

}  // namespace
}  // namespace ward::profiles
