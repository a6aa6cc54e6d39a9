// SPDX-License-Identifier: Apache-2.0
// Calls that the container's own filter refuses: containerd's default filter, as `ctr run --seccomp` gives it.
#include <algorithm>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class Refused : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    std::string listing = box_profile();
    listing.replace(listing.find("name: box"), 9, "name: listing");
    listing += "  refused: [get_mempolicy, keyctl]\n";
    node().write_profile("listing", listing);
    // Read before the policy of the others, so that its rules come first.
    node().write_policy("acting", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: acting}
spec:
  rules:
    - {match: {containers: ["quarantine-act-*"]}, mode: enforce, profile: box, onViolation: {refused: act}}
    - {match: {containers: ["quarantine-listing-*"]}, mode: enforce, profile: listing}
)");
    await([] { return node().ward({"profile", "list"}).out.find("listing") != std::string::npos; });
  }

  static std::uint64_t told(const std::vector<Json>& events) {
    std::uint64_t all = 0;
    for (const Json& event : events) all += 1 + std::stoull(event.value("repeats", Json(0)).dump());
    return all;
  }

  static std::string state(const std::string& id) { return row(id).value("state", ""); }
};

TEST_F(Refused, F01_GetsItsOwnFiltersAnswerOneRecordAndNothingElse) {
  for (const char* prefix : {"quarantine", "kill", "deny", "supervise"}) {
    const std::string id = node().unique(prefix);
    const Output output = run_box(id, {"/box", "attack", "mempolicy", "quotactl", "mempolicy"}, {"--seccomp"});
    EXPECT_EQ(output.out, "mempolicy -1 1\nquotactl -1 1\nmempolicy -1 1\n") << output.err;
    EXPECT_EQ(output.status, 0) << prefix;
    await([&] { return told(events(id)) >= 3; });
    const auto seen = events(id);
    EXPECT_EQ(told(seen), 3U) << prefix;
    ASSERT_GE(seen.size(), 2U);
    EXPECT_EQ(seen[0]["outcome"], "refused");
    EXPECT_EQ(seen[0]["action"], "log");
    EXPECT_THAT(seen[0]["reason"].dump(), HasSubstr("get_mempolicy is not in profile box, and the container's own "
                                                    "seccomp profile refuses it: nothing more is done"));
  }
}

TEST_F(Refused, F01_ALoopOfThemIsNotSlowedWithoutBoundAndMakesOneRecord) {
  const std::string id = node().unique("quarantine");
  std::vector<std::string> command{"/box", "attack"};
  command.insert(command.end(), 3000, "quotactl");
  const Output output = run_box(id, command, {"--seccomp"});
  EXPECT_EQ(output.status, 0) << output.err;
  await([&] { return told(events(id)) >= 3000; });
  const auto seen = events(id);
  EXPECT_EQ(told(seen), 3000U);
  EXPECT_EQ(seen.size(), 2U) << "the first, and at the end how many more there were";
}

TEST_F(Refused, F01_AnAttackUnderContainerdsDefaultFilterEndsInQuarantine) {
  for (const char* attack : {"unshare", "keyctl", "io_uring", "clone-ns", "userfaultfd"}) {
    const std::string id = node().unique("quarantine");
    const Output started =
        node().ctr(run_arguments(id, {"-d", "--seccomp"}, {"/box", "entry", "/trigger", "/box", "wait"}));
    ASSERT_EQ(started.status, 0) << started.err;
    node().poke(id, attack);
    EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; })) << attack;
    EXPECT_EQ(await_violation(id)["action"], "quarantine") << attack;
    node().remove(id);
  }
}

TEST_F(Refused, F01_OnlyWhatIsListedIsNobodysBusiness) {
  const std::string id = node().unique("quarantine-listing");
  const Output output = run_box(id, {"/box", "attack", "mempolicy", "keyctl", "quotactl"}, {"--seccomp"});
  EXPECT_EQ(output.out, "mempolicy -1 1\nkeyctl -1 1\nquotactl -1 1\n") << output.err;
  const Json only = await_violation(id);
  EXPECT_EQ(only["syscall"], "quotactl");
  EXPECT_EQ(events(id).size(), 1U);
}

TEST_F(Refused, F01_I2_ListingOpensNothingWhereTheOwnFilterDoesNotRefuse) {
  const std::string id = node().unique("quarantine-listing");
  const Output started = node().ctr(run_arguments(id, {"-d"}, {"/box", "entry", "/trigger", "/box", "wait"}));
  ASSERT_EQ(started.status, 0) << started.err;
  node().poke(id, "keyctl");
  EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; }));
  node().remove(id);
}

TEST_F(Refused, F01_ThePolicyMayHaveThemActedUpon) {
  const std::string id = node().unique("quarantine-act");
  const Output started =
      node().ctr(run_arguments(id, {"-d", "--seccomp"}, {"/box", "entry", "/trigger", "/box", "wait"}));
  ASSERT_EQ(started.status, 0) << started.err;
  node().poke(id, "quotactl");
  EXPECT_TRUE(await([&] { return state(id) == "QUARANTINED"; }));
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
