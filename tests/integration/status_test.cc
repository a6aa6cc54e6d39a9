// SPDX-License-Identifier: Apache-2.0
// `ward status` says what is wrong with a node, and what to do about it.
#include <csignal>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class Status : public GuardedTest {
 protected:
  void TearDown() override { node().stop_wardd(SIGTERM); }
  static std::string text() {
    const Output output = node().ward({"status"});
    EXPECT_TRUE(output.status == 0 || output.status == 6) << output.err;  // 6: with a problem
    return output.out;
  }
  static bool await_text(const std::string& part) {
    return await([&] { return text().find(part) != std::string::npos; }, std::chrono::seconds(10));
  }
};

TEST_F(Status, WhatIsTakenButPerhapsNotMeantIsAWarningAndWhatIsRefusedAProblem) {
  node().write_policy(
      "vague",
      "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: vague}\nspec:\n  rules:\n"
      "    - {match: {containers: [\"vague-*\"]}, mode: enforce, profile: nowhere-to-be-found}\n");
  EXPECT_TRUE(await_text("nowhere-to-be-found")) << text();
  EXPECT_THAT(text(), ContainsRegex("\nwarning +[^\n]*nowhere-to-be-found"));
  EXPECT_EQ(node().ward({"status"}).status, 0) << "a warning is no problem";
  node().write_policy("vague", "apiVersion: ward.dev/v1alpha1\nkind: Polcy\n");
  EXPECT_TRUE(await_text("vague.yaml:2:7")) << text();
  EXPECT_THAT(text(), ContainsRegex("\nproblem +[^\n]*vague.yaml:2:7"));
  EXPECT_EQ(node().ward({"status"}).status, 6) << "F27";
  EXPECT_EQ(node().ward({"status", "-o", "json"}).status, 6);
  std::filesystem::remove(node().config() / "policies" / "vague.yaml");
  EXPECT_TRUE(await([&] { return text().find("vague") == std::string::npos; })) << text();
}

TEST_F(Status, WithoutABpfFileSystemItSaysThatRecordingsEndWithWarddAndHowToMountOne) {
  node().stop_wardd(SIGTERM);
  node().start_wardd({"unshare", "-m", "sh", "-c",
                      "while umount /sys/fs/bpf 2>/dev/null; do :; done; exec \"$0\" \"$@\""});
  const std::string said = text();
  if (said.find("recorder     none:") != std::string::npos)
    GTEST_SKIP() << "this machine cannot record: " << said;
  EXPECT_THAT(said, HasSubstr("recordings end with wardd"));
  EXPECT_THAT(said, HasSubstr("mount -t bpf"));
}

TEST_F(Status, WithoutBpfItSaysThatNothingIsRecordedAndAContainerThatShouldLearnSaysSoToo) {
  node().stop_wardd(SIGTERM);
  node().start_wardd(
      {"setpriv", "--bounding-set", "-sys_admin,-bpf,-perfmon", "--inh-caps", "-all", "--"});
  EXPECT_THAT(text(), ContainsRegex("recorder +none: "));
  const std::string id = node().unique("learn");
  const Output started = node().ctr(run_arguments(id, {"-d"}, {"/box", "wait"}));
  EXPECT_EQ(started.status, 0) << "I8: it runs all the same: " << started.err;
  EXPECT_TRUE(await([&] {
    return !row(id).is_null() && !row(id)["note"].get<std::string>().empty();
  })) << row(id);
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
