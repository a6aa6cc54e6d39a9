// SPDX-License-Identifier: Apache-2.0
// What a node lets run besides a profile, put into the compiled form and taken out again.
#include "profiles/overlay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "profiles/filter/call_tables.h"
#include "profiles/filter/limits.h"

namespace ward::profiles {
namespace {

Profile web() {
  Profile profile;
  profile.name = "web";
  profile.architectures = {"x86_64"};
  profile.syscalls[Layer::kServing]["openat"] = {"openat", {}};
  profile.syscalls[Layer::kServing]["ioctl"] = {"ioctl", {{1, std::nullopt, {0x5401}}}};
  return profile;
}

Policy enforcing(const std::vector<std::string>& names) {
  Policy policy;
  policy.name = "p";
  for (const std::string& name : names) {
    PolicyRule& rule = policy.rules.emplace_back();
    rule.mode = Mode::kEnforce;
    rule.profile = name;
  }
  return policy;
}

Overlay overlay() {
  return {{overlay_rule(SYS_mkdir, {})},
          {overlay_rule(SYS_ioctl, {{1, std::nullopt, {0x541B}}}), overlay_rule(SYS_fsync, {})}};
}

TEST(OverlayTest, IsPutInAndTakenOutWithoutATrace) {
  const auto plain = compile(web()).value();
  const auto both = with_overlay(plain, overlay());
  EXPECT_EQ(both.digest(), plain.digest()) << "the profile is the same";
  EXPECT_EQ(both.overlay(), digest(overlay()));
  const auto calls = filter::to_table(both);
  EXPECT_TRUE(calls.allows(SYS_ioctl, {3, 0x541B}, filter::kAllowedInServing));
  EXPECT_TRUE(calls.allows(SYS_ioctl, {3, 0x5401}, filter::kAllowedInServing));
  EXPECT_FALSE(calls.allows(SYS_ioctl, {3, 0x5402}, filter::kAllowedInServing));
  EXPECT_TRUE(calls.allows(SYS_fsync, {}, filter::kAllowedInExec));
  EXPECT_FALSE(calls.allows(SYS_mkdir, {}, filter::kAllowedInServing)) << "the supervisor decides";
  EXPECT_TRUE(filter::to_tolerated(both).allows(SYS_mkdir, {}, ~0U));
  const auto again = without_overlay(both, overlay());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->SerializeAsString(), plain.SerializeAsString());
}

TEST(OverlayTest, AnotherThanWasPutInIsNotTakenOut) {
  const auto both = with_overlay(compile(web()).value(), overlay());
  const auto wrong = without_overlay(both, {{overlay_rule(SYS_rmdir, {})}, {}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::kFailedPrecondition);
}

TEST(OverlayTest, TheIndexNamesTheFileWithItForRulesAndForTemplates) {
  const Policy policy = enforcing({"web", "{container}"});
  const Resolved plain = resolve({policy}, {web()}, {}, 1).value();
  const std::string before = plain.index.profiles(0).compiled_sha256();
  const std::string of = plain.index.profiles(0).digest();
  Resolved changed = plain;
  ASSERT_TRUE(change_overlays(changed, {}, {{of, overlay()}}));
  const std::string after = changed.index.profiles(0).compiled_sha256();
  EXPECT_NE(after, before);
  EXPECT_EQ(changed.index.rules(0).compiled_sha256(), after);
  EXPECT_EQ(changed.index.profiles(0).digest(), of);
  EXPECT_EQ(changed.files.size(), plain.files.size());
  ASSERT_TRUE(change_overlays(changed, {{of, overlay()}}, {{of, overlay()}}));
  EXPECT_EQ(changed.index.profiles(0).compiled_sha256(), after);
  ASSERT_TRUE(change_overlays(changed, {{of, overlay()}}, {}));
  EXPECT_EQ(changed.index.SerializeAsString(), plain.index.SerializeAsString());
  EXPECT_EQ(changed.files.front().bytes, plain.files.front().bytes);
}

TEST(OverlayTest, AProfileThatWouldBeTooLargeForShimsGoesWithout) {
  Overlay large;
  while (large.let_run.size() < filter::kMaxProfileBytes / 8)
    large.let_run.push_back(overlay_rule(SYS_ioctl, {{1, std::nullopt, {large.let_run.size()}}}));
  const Policy policy = enforcing({"web"});
  const Resolved plain = resolve({policy}, {web()}, {}, 1).value();
  Resolved changed = plain;
  ASSERT_TRUE(change_overlays(changed, {}, {{plain.index.profiles(0).digest(), large}}));
  EXPECT_EQ(changed.index.SerializeAsString(), plain.index.SerializeAsString());
}

}  // namespace
}  // namespace ward::profiles
