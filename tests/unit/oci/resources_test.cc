// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/resources.h"

#include <gtest/gtest.h>

namespace ward::oci {
namespace {

TEST(Resources, AreCarriedThroughAndNullsAreDropped) {
  EXPECT_EQ(*normalize_resources(
                R"({"memory":{"limit":5,"swap":null},"cpu":null,"unified":{"memory.high":"1"}})"),
            R"({"memory":{"limit":5},"unified":{"memory.high":"1"}})");
  EXPECT_EQ(*normalize_resources(R"({"hugepageLimits":[null,{"pageSize":"2MB","limit":1}]})"),
            R"({"hugepageLimits":[{"pageSize":"2MB","limit":1}]})");
  EXPECT_EQ(*normalize_resources("{}"), "{}");
}

TEST(Resources, WhatIsNoResourcesObjectIsInvalid) {
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("null"), std::string("{"),
        std::string(R"({"memory":5})"), std::string(R"({"cpu":"x"})"), std::string(100'000, '[')}) {
    const auto result = normalize_resources(text);
    ASSERT_FALSE(result.has_value()) << text.substr(0, 20);
    EXPECT_TRUE(result.error().code == Code::kInvalidArgument ||
                result.error().code == Code::kResourceExhausted);
  }
}

}  // namespace
}  // namespace ward::oci
