// SPDX-License-Identifier: Apache-2.0
// What a request for a recording may ask, and which of the containers that run it takes.
#include "enforcer/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ward::enforcer {
namespace {

using testing::HasSubstr;
using What = Joining::What;

constexpr std::int64_t kNow_ns = 1'000'000'000'000;
constexpr std::int64_t kMinute_ns = 60'000'000'000;

v1::RecordRequest request(const std::string& pattern) {
  v1::RecordRequest out;
  out.set_id("0123456789abcdef");
  out.add_patterns(pattern);
  out.set_until_wall_ns(kNow_ns + kMinute_ns);
  return out;
}

node::v1::ContainerStatus running(node::v1::Mode mode = node::v1::MODE_OFF) {
  node::v1::ContainerStatus out;
  out.mutable_identity()->set_containerd_namespace("default");
  out.mutable_identity()->set_container_id("web-1");
  out.mutable_identity()->set_container_name("web-1");
  out.set_state(node::v1::CONTAINER_STATE_RUNNING);
  out.set_mode(mode);
  out.set_policy("shop");
  return out;
}

Joining judged(const node::v1::ContainerStatus& container, const std::string& include = "") {
  v1::RecordRequest asked = request("web-*");
  if (!include.empty()) asked.add_include(include);
  return judge(make_record_rule(asked, kNow_ns).value(), container);
}

TEST(RecordRequest, BecomesARuleOfTheIndex) {
  v1::RecordRequest asked = request("shop/web-*");
  asked.set_workload("web");
  asked.add_include("privileged");
  const auto rule = make_record_rule(asked, kNow_ns);
  ASSERT_TRUE(rule) << rule.error().message;
  EXPECT_EQ(rule->until_wall_ns(), kNow_ns + kMinute_ns);
  EXPECT_EQ(rule->workload(), "web");
  ASSERT_EQ(rule->selectors_size(), 2);
  EXPECT_TRUE(rule->selectors(0).include_privileged());
  EXPECT_FALSE(rule->selectors(0).include_kube_system());
}

TEST(RecordRequest, I9_WhatIsWrongIsRefused) {
  const auto refused = [](void (*change)(v1::RecordRequest&)) {
    v1::RecordRequest asked = request("web");
    change(asked);
    const auto rule = make_record_rule(asked, kNow_ns);
    return !rule && rule.error().code == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& asked) { asked.set_id("../index"); }));
  EXPECT_TRUE(refused([](auto& asked) { asked.set_id("abc"); }));
  EXPECT_TRUE(refused([](auto& asked) { asked.clear_patterns(); }));
  EXPECT_TRUE(refused([](auto& asked) { asked.add_patterns("a/b/c/d"); }));
  EXPECT_TRUE(refused([](auto& asked) { asked.set_workload("../etc"); }));
  EXPECT_TRUE(refused([](auto& asked) { asked.add_include("everything"); }));
  EXPECT_TRUE(refused([](auto& asked) { asked.set_until_wall_ns(kNow_ns); }));
  EXPECT_TRUE(
      refused([](auto& asked) { asked.set_until_wall_ns(kNow_ns + 25 * 60 * kMinute_ns); }));
  EXPECT_TRUE(refused([](auto& asked) {
    for (int i = 0; i < 100; ++i) asked.add_patterns("a");
  }));
}

TEST(RecordRequest, TakesWhatRunsUnrecorded) {
  EXPECT_EQ(judged(running()).what, What::kJoin);
  EXPECT_EQ(judged(running(node::v1::MODE_LEARN)).what, What::kJoin);
  node::v1::ContainerStatus other = running();
  other.mutable_identity()->set_container_name("api-1");
  EXPECT_EQ(judged(other).what, What::kNothing);
  node::v1::ContainerStatus stopped = running();
  stopped.set_state(node::v1::CONTAINER_STATE_STOPPED);
  EXPECT_EQ(judged(stopped).what, What::kNothing);
  node::v1::ContainerStatus mine = running();
  mine.set_recording_id("r1");
  mine.set_record_id("0123456789abcdef");
  EXPECT_EQ(judged(mine).what, What::kGoesOn);
}

TEST(RecordRequest, I2_RefusesWhatIsSupervisedOrRecordedAlreadyAndSaysWhatToDo) {
  for (const auto mode : {node::v1::MODE_SUPERVISE, node::v1::MODE_ENFORCE}) {
    const Joining joining = judged(running(mode));
    EXPECT_EQ(joining.what, What::kRefuse);
    EXPECT_THAT(joining.why, HasSubstr("mode: learn"));
  }
  node::v1::ContainerStatus recorded = running(node::v1::MODE_LEARN);
  recorded.set_recording_id("r1");
  recorded.set_workload("web");
  EXPECT_THAT(judged(recorded).why, HasSubstr("ward learn watch web"));
  node::v1::ContainerStatus nameless = running();
  nameless.mutable_identity()->set_container_name("");
  EXPECT_EQ(judged(nameless).what, What::kNothing) << "no pattern can mean it";
}

TEST(RecordRequest, I10_RefusesWhatIsExemptUnlessItIsIncluded) {
  node::v1::ContainerStatus privileged = running();
  privileged.mutable_identity()->set_is_privileged(true);
  EXPECT_EQ(judged(privileged).what, What::kRefuse);
  EXPECT_THAT(judged(privileged).why, HasSubstr("--include privileged"));
  EXPECT_EQ(judged(privileged, "privileged").what, What::kJoin);
  EXPECT_EQ(judged(privileged, "kube-system").what, What::kRefuse);
  node::v1::ContainerStatus sandbox = running();
  sandbox.mutable_identity()->set_is_sandbox(true);
  EXPECT_EQ(judged(sandbox).what, What::kNothing);
}

}  // namespace
}  // namespace ward::enforcer
