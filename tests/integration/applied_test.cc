// SPDX-License-Identifier: Apache-2.0
// `ward applied`: what the kernel has is what the effective spec says, and nobody is disturbed.
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

class AppliedFilter : public GuardedTest {
 protected:
  static Json applied(const std::string& id) { return ward_json({"applied", id}); }
};

TEST_F(AppliedFilter, AnEnforcedContainerHasTheFilterOfItsSpecAndGoesOn) {
  const std::string id = start_watched("deny");
  for (int i = 0; i < 3; ++i) {
    const Json found = applied(id);
    ASSERT_EQ(found["from_kernel"], true) << found;
    // runc's stub is written otherwise than ours, and answers the same.
    EXPECT_THAT(found["agreement"], AnyOf("identical", "same-answers")) << found;
    EXPECT_EQ(found["profile"], "box");
    ASSERT_FALSE(found["filters"].empty());
    EXPECT_GT(found["filters"].back()["calls"]["notify"], 200);
    EXPECT_EQ(found["filters"].back()["calls"], found["spec"]["calls"]);
  }
  const Output text = node().ward({"applied", id});
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, AllOf(HasSubstr("they agree"), HasSubstr("sha256")));
  node().poke(id, "unshare");
  EXPECT_EQ(await_violation(id)["outcome"], "denied");
  node().remove(id);
}

TEST_F(AppliedFilter, WhatIsInQuarantineIsNotAttachedTo) {
  const std::string id = start_watched("quarantine");
  node().poke(id, "unshare");
  ASSERT_TRUE(await([&] { return row(id)["state"] == "QUARANTINED"; }));
  const Json found = applied(id);
  EXPECT_EQ(found["from_kernel"], false);
  EXPECT_THAT(found["why_not_kernel"].get<std::string>(), HasSubstr("frozen"));
  EXPECT_EQ(found["spec_has_filter"], true);
  EXPECT_EQ(found["agreement"], "not-compared");
  EXPECT_EQ(row(id)["state"], "QUARANTINED");
  node().remove(id);
}

TEST_F(AppliedFilter, WithoutAttachingTheSpecIsShownAlone) {
  const std::string id = start_watched("deny");
  const Json found = ward_json({"applied", id, "--no-attach"});
  EXPECT_EQ(found["from_kernel"], false);
  EXPECT_EQ(found["spec_found"], true) << found;
  EXPECT_GT(found["spec"]["instructions"], 100);
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
