// SPDX-License-Identifier: Apache-2.0
// `ward profile apply`: in force when it answers, or nothing changed.
#include "lib/base/file.h"
#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST_F(StoreTest, ApplyIsInForceWhenItAnswers) {
  const auto applied = apply(profile("web", 1));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_FALSE(applied->unchanged);
  EXPECT_EQ(applied->profile.path, places_.profiles() / "web.yaml");
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 1));
  EXPECT_EQ(index().profiles_size(), 1);
  const auto again = apply(profile("web", 1));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(store_->next_version("web"), 2U);
}

TEST_F(StoreTest, ApplyRefusesALowerVersionUnlessAPersonRollsBack) {
  ASSERT_TRUE(apply(profile("web", 3)));
  const auto refused = apply(profile("web", 2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("--rollback"));
  EXPECT_THAT(refused.error().message, StartsWith("given.yaml:3:"))
      << "named as the person named it";
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 3));
  ASSERT_TRUE(apply(profile("web", 2), true));
  EXPECT_EQ(store_->find("web")->profile.version, 2U);
  open();
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty()) << "what was rolled back to stays in force";
}

TEST_F(StoreTest, ApplyOfABadProfileOrADryRunChangesNothing) {
  const auto bad = apply(profile("web", 1, "opennat"));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kInvalidArgument);
  EXPECT_THAT(bad.error().message, HasSubstr("given.yaml:7:"));
  ASSERT_TRUE(apply(profile("web", 1), false, true));
  EXPECT_FALSE(fs::exists(places_.profiles() / "web.yaml"));
  EXPECT_EQ(index().generation(), 0U);
}

TEST_F(StoreTest, ApplyReplacesTheFileThatHasTheProfile) {
  write(places_.profiles() / "shop.yaml", profile("web", 1));
  store_->reload();
  ASSERT_TRUE(apply(profile("web", 2)));
  EXPECT_EQ(*read_file(places_.profiles() / "shop.yaml"), profile("web", 2));
  EXPECT_FALSE(fs::exists(places_.profiles() / "web.yaml"));
}

constexpr const char* kPolicyOfWeb =
    "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: shop}\nspec:\n  rules:\n"
    "    - {match: {containers: [\"web-*\"]}, mode: enforce, profile: web}\n";

TEST_F(StoreTest, F27_AGoodProfileIsAppliedBesideABadPolicyAndWhatWasInForceOfItStays) {
  write(places_.policies() / "shop.yaml", kPolicyOfWeb);
  ASSERT_TRUE(apply(profile("web", 1)));
  write(places_.policies() / "bad.yaml", "kind: Polcy\n");
  write(places_.policies() / "shop.yaml", "spec: {rules: [}\n");
  store_->reload();
  const auto before = index();
  const auto applied = apply(profile("web", 2, "read"));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_THAT(applied->warnings, Contains(HasSubstr("other files of this node are bad")));
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 2, "read"));
  ASSERT_EQ(index().rules_size(), 1) << "the last good policy stays";
  EXPECT_EQ(index().rules(0).profile_digest(), applied->profile.digest);
  EXPECT_EQ(index().rules(0).selector().SerializeAsString(),
            before.rules(0).selector().SerializeAsString());
  EXPECT_NE(index().rules(0).compiled_sha256(), before.rules(0).compiled_sha256());
  EXPECT_TRUE(fs::exists(places_.compiled() / (index().rules(0).compiled_sha256() + ".profile")));
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("bad.yaml:1:7"))) << "said as before";
  EXPECT_EQ(index().rules(0).profile_digest(), applied->profile.digest);
  // Also after a restart, when only the compiled files say what was in force.
  open();
  store_->reload();
  ASSERT_TRUE(apply(profile("web", 3)));
  EXPECT_EQ(index().rules_size(), 1);
  EXPECT_EQ(store_->profiles().size(), 1U);
  fs::remove(places_.policies() / "bad.yaml");
  write(places_.policies() / "shop.yaml", kPolicyOfWeb);
  store_->reload();
  EXPECT_THAT(store_->problems(), IsEmpty());
  EXPECT_EQ(store_->find("web")->profile.version, 3U);
}

TEST_F(StoreTest, TheGateOfAPolicyHoldsWhileItsFileIsBadAndAlsoAfterARestart) {
  const std::string gated =
      "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: shop}\nspec:\n  rules:\n"
      "    - {mode: enforce, profile: \"{container}\", enforceAfter: {runs: 5}}\n";
  const std::string learned = "provenance: {runs: '5'}\n", few = "provenance: {runs: '1'}\n";
  write(places_.policies() / "shop.yaml", gated);
  ASSERT_TRUE(apply(profile("web", 1) + learned));
  EXPECT_THAT(apply(profile("web", 2) + few).error().message,
              HasSubstr("1 runs (5 are asked for)"));
  write(places_.policies() / "shop.yaml", "spec: {rules: [}\n");
  for (int i = 0; i < 2; ++i) {
    store_->reload();
    EXPECT_THAT(apply(profile("web", 2) + few).error().message,
                HasSubstr("policy shop, rule 1 asks for more before it enforces profile web"));
    open();
  }
  store_->reload();
  EXPECT_TRUE(apply(profile("web", 2) + learned));
  // A way back is for an emergency; the flag alone opens nothing.
  EXPECT_FALSE(apply(profile("web", 3) + few, true));
  EXPECT_TRUE(apply(profile("web", 1) + few, true));
}

TEST_F(StoreTest, F27_BesideABadFileAProfileIsStillJudgedItself) {
  ASSERT_TRUE(apply(profile("web", 2)));
  write(places_.policies() / "bad.yaml", "kind: Polcy\n");
  store_->reload();
  const auto lower = apply(profile("web", 1));
  ASSERT_FALSE(lower);
  EXPECT_THAT(lower.error().message, StartsWith("given.yaml:3:"))
      << "only what it changes: " << lower.error().message;
  write(places_.profiles() / "another.yaml", profile("api", 1));
  const auto taken = apply(profile("api", 2));
  ASSERT_TRUE(taken) << "the file that has it already: " << taken.error().message;
  EXPECT_EQ(*read_file(places_.profiles() / "another.yaml"), profile("api", 2));
}

TEST_F(StoreTest, F27_AReactionThatChangesWaitsForTheFileOfTheRuleThatNamesTheProfile) {
  write(places_.policies() / "shop.yaml", kPolicyOfWeb);
  ASSERT_TRUE(apply(profile("web", 1)));
  write(places_.policies() / "bad.yaml", "kind: Polcy\n");
  store_->reload();
  const auto milder = apply(profile("web", 2) + "  onViolation: {workload: {action: log}}\n");
  ASSERT_FALSE(milder);
  EXPECT_THAT(milder.error().message, HasSubstr("mend the other files of this node first"));
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 1));
}

TEST_F(StoreTest, AProfileThatCannotBePutInForceIsNotLeftAmongTheFiles) {
  ASSERT_TRUE(apply(profile("web", 1)));
  fs::remove(places_.compiled_index());
  fs::create_directories(places_.compiled_index() / "in-the-way");
  EXPECT_FALSE(apply(profile("web", 2)));
  EXPECT_FALSE(apply(profile("api", 1)));
  EXPECT_EQ(*read_file(places_.profiles() / "web.yaml"), profile("web", 1));
  EXPECT_FALSE(fs::exists(places_.profiles() / "api.yaml"));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(places_.profiles()))
    files += entry.exists() ? 1 : 0;
  EXPECT_EQ(files, 1U) << "and nothing beside it";
}

TEST_F(StoreTest, I9_AProfileForRehearsalIsNotEnforced) {
  write(places_.profiles() / "web.yaml", profile("web", 1));
  write(places_.policies() / "10-web.yaml", policy("web", "web"));
  store_->reload();
  std::string rehearsal = profile("web", 2);
  rehearsal.replace(rehearsal.find("  syscalls:"), 0, "  rehearsal: true\n");
  const auto applied = apply(rehearsal);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message,
              HasSubstr("10-web.yaml:6:1: mode enforce, and profile 'web'"));
  EXPECT_EQ(store_->find("web")->profile.version, 1U);
  std::string supervised = policy("web", "web");
  supervised.replace(supervised.find("enforce"), 7, "supervise");
  write(places_.policies() / "10-web.yaml", supervised);
  store_->reload();
  const auto rehearsed = apply(rehearsal);
  ASSERT_TRUE(rehearsed) << rehearsed.error().message;
  EXPECT_THAT(rehearsed->warnings, Contains(HasSubstr("learned without a start")));
}

}  // namespace
}  // namespace ward::enforcer
