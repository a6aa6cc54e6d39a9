// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/selector.h"

#include <gtest/gtest.h>

namespace ward::filter {
namespace {

using node::v1::Identity;

TEST(Match, GlobsAreLiteralButForTheStar) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("a*c*e", "abcde"));
  EXPECT_FALSE(glob_matches("a*c", "abcd"));
  EXPECT_FALSE(glob_matches("a?c", "abc"));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_FALSE(glob_matches(std::string(200, '*') + "b", std::string(5000, 'a')));
}

TEST(Match, I10_SandboxesPrivilegedAndKubeSystemNeedToBeNamed) {
  node::v1::Selector selector;
  Identity sandbox, privileged, system;
  sandbox.set_is_sandbox(true);
  privileged.set_is_privileged(true);
  system.set_kubernetes_namespace("kube-system");
  for (const Identity& identity : {sandbox, privileged, system})
    EXPECT_EQ(reach(selector, identity), Reach::kLeftAlone);
  selector.set_include_sandboxes(true);
  EXPECT_EQ(reach(selector, sandbox), Reach::kSelected);
  EXPECT_EQ(reach(selector, privileged), Reach::kLeftAlone);
}

TEST(Selector, WhatIsPackedIsUnpackedAndMeansTheSame) {
  node::v1::Selector selector;
  selector.add_containers("web-*");
  selector.add_containers("");
  selector.add_images("a*b");
  selector.set_include_kube_system(true);
  const std::string packed = pack(selector);
  ASSERT_TRUE(unpack(packed));
  EXPECT_EQ(unpack(packed)->SerializeAsString(), selector.SerializeAsString());
  Identity identity;
  EXPECT_EQ(reach(packed, identity), Reach::kNo);
  identity.set_container_name("web-1");
  identity.set_image("ab");
  EXPECT_EQ(reach(packed, identity), Reach::kSelected);
  identity.set_is_sandbox(true);
  EXPECT_EQ(reach(packed, identity), Reach::kLeftAlone);
}

TEST(Selector, WhatIsCutShortIsNothing) {
  node::v1::Selector selector;
  selector.add_pods("x*");
  const std::string packed = pack(selector);
  Identity identity;
  identity.set_pod("x");
  for (std::size_t bytes = 0; bytes < packed.size(); ++bytes) {
    EXPECT_FALSE(unpack(packed.substr(0, bytes))) << bytes;
    EXPECT_FALSE(reach(packed.substr(0, bytes), identity)) << bytes;
  }
  EXPECT_FALSE(unpack(packed + "x"));
}

TEST(Selector, F25_WhyItDoesNotSelectIsTheFirstThingThatDoesNotMatch) {
  node::v1::Selector selector;
  Identity identity;
  identity.set_container_name("web-1");
  identity.set_containerd_namespace("default");
  EXPECT_EQ(why_not(selector, identity), "");
  selector.add_containers("nginx-*");
  selector.add_containers("db");
  EXPECT_EQ(why_not(selector, identity), "containers: 'web-1' is none of 'nginx-*', 'db'");
  selector.add_containers("web-*");
  EXPECT_EQ(why_not(selector, identity), "");
  selector.add_images("*");
  EXPECT_EQ(why_not(selector, identity), "") << "'*' is nothing as well";
  selector.clear_images();
  selector.add_images("*/nginx:*");
  EXPECT_EQ(why_not(selector, identity),
            "images: not known of this container (outside of Kubernetes), so nothing matches "
            "'*/nginx:*'");
  selector.clear_images();
  identity.set_is_privileged(true);
  EXPECT_EQ(why_not(selector, identity),
            "left alone: privileged, and the rule does not include that");
  EXPECT_EQ(why_not(selector, identity).empty(), reach(selector, identity) == Reach::kSelected);
}

}  // namespace
}  // namespace ward::filter
