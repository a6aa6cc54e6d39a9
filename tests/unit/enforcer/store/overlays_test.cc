// SPDX-License-Identifier: Apache-2.0
// What a node lets run of itself, in the files that shims read.
#include <sys/syscall.h>

#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::IsEmpty;

class OverlaysTest : public StoreTest {
 protected:
  static std::string amending(const std::string& amend = "auto") {
    return policy("p", "web") + "      amend: " + amend + "\n";
  }
  static profiles::Overlay overlay(int nr) { return {{profiles::overlay_rule(nr, {})}, {}}; }
  // Of the file that a container would start under.
  std::string overlay_in_force() {
    const auto now = index();
    EXPECT_EQ(now.rules(0).compiled_sha256(), now.profiles(0).compiled_sha256());
    std::ifstream file(places_.compiled() / (now.rules(0).compiled_sha256() + ".profile"));
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    node::v1::SealedFile sealed;
    node::v1::CompiledProfile compiled;
    EXPECT_TRUE(sealed.ParseFromString(bytes) && compiled.ParseFromString(sealed.payload()));
    return compiled.overlay();
  }
  void prepare() {
    write(places_.policies() / "p.yaml", amending());
    write(places_.profiles() / "web.yaml", profile("web", 1));
    kinds();  // the database is there
    store_->reload();
    digest_ = store_->versions().at("web").digest;
  }
  std::string digest_;
};

TEST_F(OverlaysTest, WhatPoliciesAmendIsKnownByTheDigestOfTheProfile) {
  EXPECT_FALSE(store_->amendable()) << "nothing was read yet";
  prepare();
  EXPECT_THAT(store_->problems(), IsEmpty());
  ASSERT_TRUE(store_->amendable());
  EXPECT_EQ(store_->amendable()->at(digest_).terms, profiles::Amend());
  write(places_.policies() / "p.yaml", amending("{auto: true, containers: 5, over: 48h}"));
  write(places_.policies() / "q.yaml", policy("q", "web") + "      amend: auto\n");
  store_->reload();
  EXPECT_EQ(store_->amendable()->at(digest_).terms.containers, 5U) << "the most that one asks for";
  write(places_.policies() / "q.yaml", policy("q", "'{container}'"));
  store_->reload();
  EXPECT_THAT(*store_->amendable(), IsEmpty()) << "a rule that may name it does not say amend";
  EXPECT_THAT(store_->problems(), testing::Contains(testing::AllOf(
                                      testing::HasSubstr("p.yaml:8:14: policy p, rule 1: "),
                                      testing::HasSubstr("profile web is not amended"))));
}

TEST_F(OverlaysTest, I9_TheyAreInForceOverReloadsAndRestartsAndGoWithAnotherVersion) {
  prepare();
  EXPECT_EQ(overlay_in_force(), "");
  const profiles::Overlays all{{digest_, overlay(SYS_mkdir)}};
  ASSERT_TRUE(store_->set_overlays(all));
  EXPECT_EQ(overlay_in_force(), profiles::digest(overlay(SYS_mkdir)));
  EXPECT_EQ(index().rules(0).profile_digest(), digest_) << "the profile is people's, as it was";
  const auto generation = store_->generation();
  ASSERT_TRUE(store_->set_overlays(all));
  EXPECT_EQ(store_->generation(), generation) << "nothing changes";
  open();
  store_->expect_overlays(all);
  store_->reload();
  EXPECT_EQ(store_->generation(), generation) << "nor by a restart";
  write(places_.policies() / "bad.yaml", "kind: [");
  open();
  store_->expect_overlays(all);
  store_->reload();
  EXPECT_FALSE(store_->amendable()) << "no policy could be read";
  EXPECT_EQ(overlay_in_force(), profiles::digest(overlay(SYS_mkdir))) << "what was good stays";
  ASSERT_TRUE(store_->set_overlays({})) << "and a person can take it back all the same";
  EXPECT_EQ(overlay_in_force(), "");
  ASSERT_TRUE(store_->set_overlays(all));
  fs::remove(places_.policies() / "bad.yaml");
  ASSERT_TRUE(apply(profile("web", 2)));
  EXPECT_EQ(overlay_in_force(), "") << "version 2 decides";
}

TEST_F(OverlaysTest, AppliedWhileOtherFilesAreBadAProfileGetsItsOwn) {
  prepare();
  ASSERT_TRUE(store_->set_overlays({{digest_, overlay(SYS_mkdir)}}));
  write(places_.policies() / "bad.yaml", "kind: [");
  store_->reload();
  ASSERT_TRUE(apply(profile("other", 1)));
  EXPECT_EQ(store_->versions().size(), 2U);
  const auto now = index();
  EXPECT_EQ(now.rules(0).compiled_sha256(), now.profiles(1).compiled_sha256());
  ASSERT_TRUE(apply(profile("web", 2)));
  EXPECT_THAT(*store_->amendable(),
              testing::Contains(testing::Key(store_->versions().at("web").digest)));
}

}  // namespace
}  // namespace ward::enforcer
