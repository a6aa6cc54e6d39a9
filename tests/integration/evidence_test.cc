// SPDX-License-Identifier: Apache-2.0
// What wardd does with evidence that shims have left. A first pass is over when wardd answers.
#include <csignal>
#include <fstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Evidence : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    node().stop_wardd(SIGTERM);
    fs::create_directories(old_);
    std::ofstream(old_ / "evidence.json") << "{}";
    fs::last_write_time(old_, fs::file_time_type::clock::now() - std::chrono::hours(200));
  }
  void TearDown() override { fs::remove(node().config() / "wardd.yaml"); }
  static void write_config(const std::string& evidence) {
    std::ofstream(node().config() / "wardd.yaml")
        << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nevidence: " << evidence << "\n";
  }

  fs::path old_ = node().state() / "evidence" / "0123456789abcdef0123-1";
};

TEST_F(Evidence, WhatIsOlderThanAWeekIsRemovedAndTheJournalSaysSo) {
  node().start_wardd();
  EXPECT_TRUE(await([&] { return !fs::exists(old_); }));
  std::vector<Json> told;
  ASSERT_TRUE(await([&] { return !(told = events("", "evidence-removed")).empty(); }));
  EXPECT_THAT(told.front()["reason"].get<std::string>(), HasSubstr("1 older than evidence.maxAge"));
}

TEST_F(Evidence, I9_NothingIsRemovedWhileNobodyKnowsWhatShouldBeKept) {
  write_config("{maxAge: forever}");
  node().start_wardd();
  EXPECT_THAT(ward_json({"status"})["problems"].dump(), HasSubstr("wardd.yaml:3:20: maxAge"));
  EXPECT_TRUE(fs::exists(old_));
  write_config("{maxAge: 8000h}");
  EXPECT_TRUE(await([] {
    return ward_json({"status"})["problems"].dump().find("wardd.yaml") == std::string::npos;
  }));
  EXPECT_TRUE(fs::exists(old_));
  write_config("{maxAge: 72h}");
  EXPECT_TRUE(await([&] { return !fs::exists(old_); }));
}

}  // namespace
}  // namespace ward::test
