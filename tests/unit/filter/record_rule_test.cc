// SPDX-License-Identifier: Apache-2.0
// Whom a person's request for a recording reaches, and that it never takes a container from a
// policy.
#include "profiles/filter/record_rule.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <limits>

#include "lib/base/clock.h"
#include "profiles/filter/index_reader.h"
#include "profiles/filter/index_writer.h"
#include "profiles/filter/treatment.h"

namespace ward::filter {
namespace {

using node::v1::CompiledIndex;
using node::v1::Identity;
using node::v1::RecordRule;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

Identity plain(const std::string& id) {
  Identity identity;
  identity.set_containerd_namespace("default");
  identity.set_container_id(id);
  identity.set_container_name(id);
  return identity;
}

Identity in_pod(const std::string& name_space, const std::string& pod, const std::string& name) {
  Identity identity = plain("4f1c");
  identity.set_containerd_namespace("k8s.io");
  identity.set_kubernetes_namespace(name_space);
  identity.set_pod(pod);
  identity.set_container_name(name);
  return identity;
}

RecordRule rule_for(const std::string& pattern, std::int64_t until_wall_ns = kNever) {
  RecordRule rule;
  rule.set_id("0123456789abcdef");
  rule.set_until_wall_ns(until_wall_ns);
  const auto selectors = selectors_of(pattern).value();
  for (const node::v1::Selector& selector : selectors) *rule.add_selectors() = selector;
  return rule;
}

Treatment treated(const CompiledIndex& index, const Identity& identity,
                  const std::map<std::string, std::string>& annotations = {}) {
  const auto bytes = write_index(index);
  UniqueFd fd(::memfd_create("index", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(fd.get(), bytes->data(), bytes->size(), 0),
            static_cast<ssize_t>(bytes->size()));
  auto reader = IndexReader::open(std::move(fd));
  const auto treatment = decide_treatment(reader.value(), identity, annotations);
  EXPECT_TRUE(treatment) << treatment.error().message;
  return treatment.value_or(Treatment());
}

CompiledIndex index_with(const RecordRule& record, node::v1::Mode policy) {
  CompiledIndex index;
  index.set_format(1);
  *index.add_records() = record;
  if (policy == node::v1::MODE_UNSPECIFIED) return index;
  node::v1::Rule& rule = *index.add_rules();
  rule.set_policy("shop");
  rule.set_mode(policy);
  rule.set_workload("shop-web");
  rule.set_profile_name("web");
  rule.set_compiled_sha256(std::string(64, 'a'));
  return index;
}

TEST(RecordRule, AWordMeansContainersAndPods) {
  const RecordRule rule = rule_for("web-*");
  EXPECT_EQ(reach(rule, plain("web-1")), Reach::kSelected);
  EXPECT_EQ(reach(rule, in_pod("shop", "web-7d9f", "app")), Reach::kSelected);
  EXPECT_EQ(reach(rule, plain("api-1")), Reach::kNo);
}

TEST(RecordRule, ASlashMeansANamespaceOfEitherKind) {
  EXPECT_EQ(reach(rule_for("shop/web-*"), in_pod("shop", "web-1", "app")), Reach::kSelected);
  EXPECT_EQ(reach(rule_for("shop/web-*"), in_pod("other", "web-1", "app")), Reach::kNo);
  EXPECT_EQ(reach(rule_for("default/web-1"), plain("web-1")), Reach::kSelected);
  EXPECT_EQ(reach(rule_for("shop/web-1/app"), in_pod("shop", "web-1", "app")), Reach::kSelected);
  EXPECT_EQ(reach(rule_for("shop/web-1/app"), in_pod("shop", "web-1", "log")), Reach::kNo);
}

TEST(RecordRule, WhatNamesNothingIsRefusedInWords) {
  for (const char* pattern : {"", "/", "a/", "/b", "a/b/c/d"}) {
    const auto selectors = selectors_of(pattern);
    ASSERT_FALSE(selectors) << pattern;
    EXPECT_EQ(selectors.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(selectors_of(std::string(2000, 'a')));
}

TEST(RecordRule, I10_EveryPatternLeavesTheExemptAlone) {
  Identity privileged = plain("tool");
  privileged.set_is_privileged(true);
  Identity sandbox = in_pod("shop", "web", "");
  sandbox.set_is_sandbox(true);
  const RecordRule all = rule_for("*");
  for (const Identity& identity : {privileged, sandbox, in_pod("kube-system", "dns", "dns")}) {
    EXPECT_EQ(reach(all, identity), Reach::kLeftAlone);
    EXPECT_EQ(treated(index_with(all, node::v1::MODE_UNSPECIFIED), identity).mode,
              node::v1::MODE_OFF);
  }
}

TEST(RecordRule, WhatNoPolicySpeaksOfIsLearnedUntilTheTimeIsOver) {
  const Treatment asked =
      treated(index_with(rule_for("web-*"), node::v1::MODE_UNSPECIFIED), plain("web-1"));
  EXPECT_EQ(asked.mode, node::v1::MODE_LEARN);
  EXPECT_EQ(asked.record_id, "0123456789abcdef");
  EXPECT_EQ(asked.record_until_wall_ns, kNever);
  EXPECT_EQ(asked.workload, default_workload(plain("web-1")));
  const Treatment over = treated(
      index_with(rule_for("web-*", wall_ns() - 1), node::v1::MODE_UNSPECIFIED), plain("web-1"));
  EXPECT_EQ(over.mode, node::v1::MODE_OFF);
  EXPECT_EQ(over.record_id, "");
}

TEST(RecordRule, I2_NoRequestLoosensWhatAPolicyOrAnAnnotationSays) {
  for (const auto mode : {node::v1::MODE_LEARN, node::v1::MODE_SUPERVISE, node::v1::MODE_ENFORCE}) {
    const Treatment kept = treated(index_with(rule_for("*"), mode), plain("web-1"));
    EXPECT_EQ(kept.mode, mode);
    EXPECT_EQ(kept.record_id, "");
    EXPECT_EQ(kept.workload, "shop-web");
  }
  const Treatment raised = treated(index_with(rule_for("*"), node::v1::MODE_OFF), plain("web-1"),
                                   {{std::string(kModeAnnotation), "enforce"}});
  EXPECT_EQ(raised.mode, node::v1::MODE_ENFORCE);
  EXPECT_EQ(treated(index_with(rule_for("*"), node::v1::MODE_OFF), plain("web-1")).mode,
            node::v1::MODE_LEARN);
}

}  // namespace
}  // namespace ward::filter
