// SPDX-License-Identifier: Apache-2.0
// What no shim reads is refused with the file that is too much.
#include "lib/base/file.h"
#include "lib/oci/seccomp.h"
#include "profiles/yaml/read_yaml.h"
#include "tests/unit/enforcer/store/store_test_base.h"

namespace ward::enforcer {
namespace {

using testing::Contains;
using testing::HasSubstr;

TEST_F(StoreTest, N03_FortyFilesOfAThousandRulesAreReadByTheShimsReader) {
  for (int i = 10; i < 50; ++i) {
    write(places_.policies() / (std::to_string(i) + ".yaml"), rules("p" + std::to_string(i), 1000));
  }
  store_->reload();
  const auto problems = store_->problems();
  EXPECT_EQ(std::count_if(problems.begin(), problems.end(),
                          [](auto& p) { return p.rfind("warning: ", 0) != 0; }),
            0);
  auto reader = filter::IndexReader::open(places_.compiled_index());
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->rules(), 40'000U);
  node::v1::Identity identity;
  identity.set_container_name("p49-999");
  const auto governing = reader->find_governing(identity);
  ASSERT_TRUE(governing && governing->rule);
  EXPECT_EQ(governing->rule->policy(), "p49");
  EXPECT_LE(reader->looked_at(), 20U);
}

TEST_F(StoreTest, N03_APolicyThatIsKnownAlreadyCountsOnlyAsLongAsItsFileSaysSo) {
  write(places_.policies() / "a.yaml", rules("a", 2));
  write(places_.policies() / "b.yaml", rules("b", 1));
  store_->reload();
  write(places_.policies() / "b.yaml", rules("b", 3));
  store_->reload();
  EXPECT_EQ(index().rules_size(), 5);
  write(places_.policies() / "a.yaml", "kind: [");
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("a.yaml:1:")));
  fs::remove(places_.policies() / "a.yaml");
  store_->reload();
  EXPECT_EQ(index().rules_size(), 3);
  fs::rename(places_.policies() / "b.yaml", places_.policies() / "c.yaml");
  write(places_.policies() / "d.yaml", rules("b", 3));
  store_->reload();
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("d.yaml:3:")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("c.yaml already")))
      << "and under its name of now";
}

TEST_F(StoreTest, N03_I9_MoreRulesThanShimsReadAreRefusedWithTheFileThatIsTooMuch) {
  write(places_.policies() / "10.yaml", rules("first", 10));
  store_->reload();
  const std::string before = *read_file(places_.compiled_index());
  for (int i = 11; i < 62; ++i) {
    write(places_.policies() / (std::to_string(i) + ".yaml"), rules("p" + std::to_string(i), 1000));
  }
  store_->reload();
  EXPECT_EQ(*read_file(places_.compiled_index()), before);
  EXPECT_THAT(store_->problems(),
              Contains(HasSubstr("60.yaml:5:3: with this file the policies have more than 50000")));
  EXPECT_THAT(store_->problems(), Contains(HasSubstr("take rules together")));
}

TEST_F(StoreTest, N03_I9_AProfileThatIsTooLargeForShimsIsRefusedWithItsFile) {
  std::string calls;
  int count = 0;
  for (const auto& [name, nr] : oci::known_syscalls()) {
    std::string call = "{name: " + name + ", args: [";
    for (int argument = 0; argument < 6; ++argument) {
      call += (argument == 0 ? "{index: " : ", {index: ") + std::to_string(argument) +
              ", oneOf: [18000000000000000000, 18000000000000000001]}";
    }
    call += "]}";
    if (count == 200 || !profiles::read_profile(profile("one", 1, call), "one"))
      continue;  // the danger set
    calls += (calls.empty() ? "" : ", ") + call;
    ++count;
  }
  ASSERT_EQ(count, 200);
  write(places_.profiles() / "huge.yaml", profile("huge", 1, calls));
  store_->reload();
  EXPECT_THAT(store_->problems(),
              Contains(HasSubstr("huge.yaml:1:1: compiled, profile 'huge' has more than")));
  EXPECT_FALSE(fs::exists(places_.compiled_index()));
}

}  // namespace
}  // namespace ward::enforcer
