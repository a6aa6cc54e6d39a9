// SPDX-License-Identifier: Apache-2.0
// Names made of what tenants choose: two containers that differ never share one.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "profiles/filter/treatment.h"

namespace ward::filter {
namespace {

node::v1::Identity named(const std::string& kubernetes_namespace, const std::string& pod,
                         const std::string& container) {
  node::v1::Identity identity;
  identity.set_kubernetes_namespace(kubernetes_namespace);
  identity.set_pod(pod);
  identity.set_container_name(container);
  return identity;
}

bool is_name(const std::string& text) {
  const std::string alphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789";
  return !text.empty() && text.size() <= 63 && alphanumeric.find(text[0]) != std::string::npos &&
         text.find_first_not_of(alphanumeric + "._-") == std::string::npos;
}

TEST(Expand, H09_PlainNamesStayWhatTheyAre) {
  EXPECT_EQ(expand("{container}", named("", "", "web-1")), "web-1");
  EXPECT_EQ(expand("{container}", named("", "", "my_app.v2")), "my_app.v2")
      << "containerd's ids may have a '_'";
  EXPECT_EQ(expand("app-{container}-x", named("", "", "web")), "app-web-x");
  EXPECT_EQ(expand("{namespace}_{pod}_{container}", named("shop", "web-7f.x", "nginx")),
            "shop_web-7f.x_nginx");
  EXPECT_EQ(expand("fixed", named("", "", "")), "fixed");
  EXPECT_EQ(expand("{container}", named("", "", std::string(63, 'a'))), std::string(63, 'a'));
  EXPECT_EQ(expand("", named("a", "b", "c")), "");
}

TEST(Expand, H09_TheSampleThatMetInOneNameDoesNoMore) {
  EXPECT_NE(expand("{namespace}-{pod}", named("a-b", "c", "")),
            expand("{namespace}-{pod}", named("a", "b-c", "")));
  EXPECT_NE(expand("{container}", named("", "", std::string(70, 'a') + "x")),
            expand("{container}", named("", "", std::string(70, 'a') + "y")));
  EXPECT_NE(expand("{container}", named("", "", "Web")),
            expand("{container}", named("", "", "web")));
  EXPECT_NE(expand("{container}", named("", "", "web/")),
            expand("{container}", named("", "", "web-")));
  EXPECT_NE(expand("{container}", named("", "", "-web")),
            expand("{container}", named("", "", "web")));
}

TEST(Expand, H09_ANameThatLooksLikeADigestIsNotTakenFromTheContainer) {
  const std::string of_another = expand("{container}", named("", "", "Web"));
  ASSERT_EQ(of_another.rfind("web__", 0), 0U) << of_another;
  EXPECT_NE(expand("{container}", named("", "", of_another)), of_another);
  const std::string pair = expand("{namespace}__{pod}", named("Shop", "web", ""));
  const std::size_t mark = pair.rfind("__");
  EXPECT_NE(expand("{namespace}__{pod}", named(pair.substr(0, mark), pair.substr(mark + 2), "")),
            pair);
}

// All values of three characters that matter, in every template: different values, different names.
TEST(Expand, H09_NoTwoListsOfValuesShareAName) {
  std::vector<std::string> values = {""};
  for (std::size_t from = 0, length = 0; length < 3; ++length) {
    for (const std::size_t end = values.size(); from < end; ++from) {
      for (const char* c : {"a", "A", "-", "_", "."}) values.push_back(values[from] + c);
    }
  }
  for (const std::string& odd : {std::string(63, 'a'), std::string(64, 'a'), std::string(300, 'a'),
                                 std::string("a\0", 2), std::string("\n1:a"), std::string("{pod}"),
                                 std::string("\xff"), std::string("a__") + std::string(32, '0')}) {
    values.push_back(odd);
  }
  for (const char* name_template : {"{pod}", "x{pod}", "{pod}-{pod}", "_{pod}"}) {
    std::map<std::string, std::string> owner;
    for (const std::string& value : values) {
      const std::string name = expand(name_template, named("n", value, "c"));
      EXPECT_TRUE(is_name(name)) << name;
      const auto [at, fresh] = owner.emplace(name, value);
      EXPECT_TRUE(fresh) << name_template << ": " << at->second << " and " << value;
    }
  }
  for (const char* name_template : {"{namespace}_{pod}", "{namespace}-{pod}", "{namespace}{pod}",
                                    "{namespace}__{pod}", "x-{pod}_{namespace}_{pod}"}) {
    std::set<std::string> names;
    for (const std::string& a : values) {
      for (const std::string& b : values) names.insert(expand(name_template, named(a, b, "c")));
    }
    EXPECT_EQ(names.size(), values.size() * values.size()) << name_template;
  }
}

node::v1::Identity of_image(node::v1::Identity identity, const std::string& image) {
  identity.set_containerd_namespace("k8s.io");
  identity.set_image(image);
  return identity;
}

TEST(DefaultWorkload, F26_TwoPodsWithAContainerOfOneNameAreTwoWorkloads) {
  const auto cart = of_image(named("shop", "cart", "app"), "docker.io/shop/cart:1");
  EXPECT_EQ(default_workload(cart).rfind("shop_cart_app__", 0), 0U) << default_workload(cart);
  EXPECT_EQ(default_workload(cart),
            default_workload(of_image(named("shop", "cart", "app"), "docker.io/shop/cart:1")));
  const std::vector<node::v1::Identity> strangers = {
      of_image(named("shop", "payment", "app"), "docker.io/shop/cart:1"),
      of_image(named("tests", "cart", "app"), "docker.io/shop/cart:1"),
      of_image(named("shop", "cart", "proxy"), "docker.io/shop/cart:1"),
      of_image(named("shop", "cart", "app"), "docker.io/shop/cart:2"),
      of_image(named("shop", "cart", "app"), "")};
  for (const auto& stranger : strangers)
    EXPECT_NE(default_workload(stranger), default_workload(cart));
}

// A pod may be called anything that Kubernetes takes, and a client of CRI's anything at all.
TEST(DefaultWorkload, F26_NoNameOfAPodMeetsAnothersWorkload) {
  const auto victim =
      of_image(named("shop", "cart-5d8f7c9b4-x2x4z", "app"), "docker.io/shop/cart:1");
  const std::string name = default_workload(victim);
  std::set<std::string> names = {name};
  std::size_t attempts = 0;
  const auto attempt = [&](const node::v1::Identity& attacker) {
    names.insert(default_workload(attacker));
    ++attempts;
  };
  // As a controller would name its pods, as what becomes of the victim, and with values that run
  // into each other.
  attempt(of_image(named("shop", "cart-5d8f7c9b4-x2x4y", "app"), "docker.io/shop/cart:1"));
  attempt(of_image(named("shop", "cart", "app"), "docker.io/shop/cart:1"));
  attempt(of_image(named("shop", name, "app"), "docker.io/shop/cart:1"));
  attempt(of_image(named("shop", "cart-5d8f7c9b4-x2x4z_app", ""), "docker.io/shop/cart:1"));
  attempt(of_image(named("shop_cart-5d8f7c9b4-x2x4z", "app", ""), "docker.io/shop/cart:1"));
  attempt(of_image(named("shop", "cart-5d8f7c9b4-x2x4z", "app\n21:docker.io/shop/cart:1"), ""));
  attempt(of_image(named("shop", "", "cart-5d8f7c9b4-x2x4z"), "app"));
  EXPECT_EQ(names.size(), attempts + 1);
  // Nor does what a template makes of them.
  for (const char* name_template : {"{pod}", "{container}", "{namespace}_{pod}"})
    EXPECT_NE(expand(name_template, named(name, name, name)), name);
}

TEST(DefaultWorkload, F26_OutsideOfKubernetesItIsContainerdsNamespaceAndTheId) {
  const auto of = [](const std::string& space, const std::string& id) {
    node::v1::Identity identity;
    identity.set_containerd_namespace(space);
    identity.set_container_id(id);
    identity.set_container_name(id);
    return default_workload(identity);
  };
  EXPECT_EQ(of("default", "web-1"), "default_web-1");
  EXPECT_NE(of("default", "web-1"), of("moby", "web-1"));
  EXPECT_NE(of("a_b", "c"), of("a", "b_c"));
  EXPECT_NE(of("default", "Web"), of("default", "web"));
  for (const auto& [space, id] :
       {std::pair{"default", "Web"}, {"a_b", "c"}, {"", ""}, {"x", "a/b"}})
    EXPECT_TRUE(is_name(of(space, id))) << of(space, id);
}

}  // namespace
}  // namespace ward::filter
