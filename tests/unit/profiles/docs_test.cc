// SPDX-License-Identifier: Apache-2.0
// The examples of docs/profile-format.md are accepted as they stand, and the lists in it are those
// of the code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "profiles/harm/bundle.h"
#include "profiles/harm/danger.h"
#include "profiles/words.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::profiles {
namespace {

std::string page() {
  std::ifstream file("docs/profile-format.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> documents(const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t at = text.find("```yaml\n"); at != std::string::npos;
       at = text.find("```yaml\n", at + 1)) {
    const std::string block = text.substr(at + 8, text.find("```\n", at + 8) - at - 8);
    if (block.rfind("apiVersion", 0) == 0) found.push_back(block);
  }
  return found;
}

TEST(ProfileFormatPage, TheExamplesAreAccepted) {
  const auto examples = documents(page());
  ASSERT_EQ(examples.size(), 2U);
  const auto profile = read_profile(examples[0], "example");
  EXPECT_TRUE(profile) << profile.error().message;
  const auto policy = read_policy(examples[1], "example");
  EXPECT_TRUE(policy) << policy.error().message;
}

TEST(ProfileFormatPage, EveryCallOfTheDangerSetIsNamed) {
  const std::string text = page();
  for (const std::string_view name : dangerous_calls()) {
    if (name == "umount") continue;  // the old number; x86_64 has none
    EXPECT_THAT(text, ::testing::HasSubstr(std::string(name)));
  }
}

TEST(ProfileFormatPage, H02_EveryCapabilityOfTheDangerSetIsNamedWithWhatItOpens) {
  const std::string text = page();
  for (const auto& [name, reason] : dangerous_capabilities()) {
    const std::string words(reason.substr(0, reason.find(" [")));
    EXPECT_THAT(text, ::testing::HasSubstr("| " + std::string(name) + " | " + words + " |"));
  }
}

TEST(ProfileFormatPage, EveryBundleIsNamedWithWhatRefusesIt) {
  const std::string text = page();
  for (const Bundle& bundle : bundles()) {
    const std::string begin = "| `" + std::string(bundle.name) + "` | ";
    const std::size_t at = text.find(begin);
    ASSERT_NE(at, std::string::npos) << bundle.name;
    const std::string row = text.substr(at, text.find('\n', at) - at);
    EXPECT_THAT(row, ::testing::HasSubstr("| " + std::string(bundle.too_much)));
    for (const SyscallEntry& call : bundle.calls)
      EXPECT_THAT(row, ::testing::HasSubstr(call.name)) << bundle.name;
  }
}

TEST(ProfileFormatPage, ATableSaysWhatEachPostureDoes) {
  const std::string text = page();
  std::string head = "| class |";
  for (const std::string_view posture : posture_names())
    head += " `" + std::string(posture) + "` |";
  EXPECT_THAT(text, ::testing::HasSubstr(head + "\n"));
}

}  // namespace
}  // namespace ward::profiles
