// SPDX-License-Identifier: Apache-2.0
// Documents that a tenant wrote in order to cost what no real one does. The bounds have room for a
// slow machine and a sanitizer.
#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "lib/oci/bundle.h"

namespace ward::oci {
namespace {

constexpr double kEnough_s = 8;

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The tree keeps the order of an object's members, and compares each new one with all before it.
std::string object_of(std::size_t members, const std::string& prefix) {
  std::string json = "{";
  for (std::size_t i = 0; i < members; ++i) {
    json += (i == 0 ? "\"" : ",\"") + prefix + std::to_string(1'000'000 + i) + "\":\"[{:\"";
  }
  return json + "}";
}

TEST(Config, H03_ManyAnnotationsCostBoundedWork) {
  const double before = processor_seconds();
  auto config = Config::parse(R"({"annotations":)" + object_of(9'000, "run.oci.") + "}");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->annotations().size(), 9'000U);
  config->remove_annotations_with_prefix("run.oci.1000");
  EXPECT_EQ(config->annotations().size(), 8'000U);
  const auto refused = Config::parse(R"({"annotations":)" + object_of(40'000, "a") + "}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_LT(processor_seconds() - before, kEnough_s);
}

std::string list_of(std::size_t count, const std::string& element) {
  std::string json = "[" + element;
  for (std::size_t i = 1; i < count; ++i) json += "," + element;
  return json + "]";
}

TEST(Config, H03_MoreValuesOrCapabilitiesThanAnyDocumentHasAreRefused) {
  for (const char* element : {"1", "{}", "[]", "\",,,,\""}) {
    const bool text = element[0] == '"';
    const auto large = Config::parse(R"({"x":)" + list_of(100'000, element) + "}");
    EXPECT_TRUE(large) << element << ": " << large.error().message;
    const auto refused =
        Config::parse(R"({"x":)" + list_of(text ? 560'000 : 600'000, element) + "}");
    ASSERT_FALSE(refused) << element;
    EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  }
  const auto with_sets_of = [](std::size_t count) {
    return R"({"process":{"capabilities":{"bounding":)" + list_of(count, "\"CAP_KILL\"") + "}}}";
  };
  EXPECT_TRUE(Config::parse(with_sets_of(200)));
  const auto refused = Config::parse(with_sets_of(2000));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("capabilities.bounding has 2000 names"), std::string::npos)
      << refused.error().message;
}

TEST(ProcessSpec, H03_AnExecDocumentOfManyMembersCostsBoundedWork) {
  const double before = processor_seconds();
  EXPECT_TRUE(ProcessSpec::parse(object_of(9'000, "key")));
  EXPECT_FALSE(ProcessSpec::parse(object_of(40'000, "key")));
  std::string several = R"({"list":[)";
  for (int i = 0; i < 6; ++i) several += object_of(5'000, "key") + ",";
  EXPECT_FALSE(ProcessSpec::parse(several + "0]}")) << "many objects add up";
  EXPECT_LT(processor_seconds() - before, kEnough_s);
}

}  // namespace
}  // namespace ward::oci
