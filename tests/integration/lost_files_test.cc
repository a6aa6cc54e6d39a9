// SPDX-License-Identifier: Apache-2.0
// Files of the node that are gone, damaged or too many, as a container finds them: enforcement
// never ends in silence.
#include <csignal>
#include <fstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class LostFiles : public GuardedTest {
 protected:
  static fs::path compiled() { return node().state() / "compiled"; }
  static fs::path index() { return compiled() / "index.2"; }
  static fs::path run() { return node().directory() / "run"; }
  static std::string status() { return node().ward({"status"}).out; }
  static bool is_enforced() {
    return run_box(node().unique("deny"), {"/box", "attack", "unshare", "novel"}).out ==
           "unshare -1 1\nnovel -1 1\n";
  }
  // Whatever the moment it comes in: never unconfined.
  static std::string start_under_missing_profile() {
    const Output output = run_box(node().unique("refuse"), {"/box", "attack", "novel"});
    return output.status != 0 && output.out.empty() ? "refused: " + output.err
                                                    : "RAN: " + output.out;
  }
  static bool is_refused() { return start_under_missing_profile().rfind("refused: ", 0) == 0; }
};

TEST_F(LostFiles, N02_WhateverIsRemovedWhileWarddIsAwayNothingStartsUnconfined) {
  ASSERT_TRUE(is_enforced());
  const fs::path aside = node().directory() / "aside";
  for (const fs::path& lost : {index(), compiled(), node().state()}) {
    node().stop_wardd(SIGKILL);
    fs::rename(lost, aside);
    const std::string started = start_under_missing_profile();
    EXPECT_THAT(started, HasSubstr("refused: ")) << lost;
    EXPECT_THAT(started, HasSubstr("no policy can be read")) << lost;
    if (lost == compiled()) {
      fs::create_directory(compiled());
      EXPECT_TRUE(is_refused()) << "an empty directory";
      fs::remove(compiled());
    }
    if (lost == node().state())
      fs::remove_all(lost);  // a shim that was refused may have begun a spool
    fs::rename(aside, lost);
    node().start_wardd();
    EXPECT_TRUE(is_enforced()) << lost;
  }
}

TEST_F(LostFiles, N02_WarddSeesThatItsFilesAreGoneMakesThemAgainAndSaysSo) {
  ASSERT_TRUE(is_enforced());
  for (const fs::path& lost : {index(), compiled(), node().state() / "spool", node().state()}) {
    std::error_code error;
    fs::remove_all(lost, error);
    EXPECT_TRUE(is_refused()) << lost << ": in the first moment as later";
    EXPECT_TRUE(await([&] { return fs::exists(lost) && fs::exists(index()); })) << lost;
    EXPECT_TRUE(is_enforced()) << lost;
    EXPECT_THAT(status(),
                testing::ContainsRegex("warning +was gone or damaged and is written again: "))
        << lost;
  }
  // The database went with the state; what this test asks for next is a node that is whole.
  node().stop_wardd(SIGKILL);
  node().start_wardd();
}

TEST_F(LostFiles, N02_WhileNothingCanBeWrittenStatusDoesNotSayThatItIsInForce) {
  ASSERT_TRUE(is_enforced());
  fs::rename(compiled(), node().directory() / "aside");
  std::ofstream(compiled()) << "in the way";
  EXPECT_TRUE(await([&] {
    return status().find("compiled files cannot be written") != std::string::npos;
  })) << status();
  node().write_policy("bad", "kind: [");
  EXPECT_TRUE(await([&] { return status().find("bad.yaml:1:") != std::string::npos; })) << status();
  EXPECT_THAT(status(), HasSubstr("new containers are refused"));
  EXPECT_THAT(status(), Not(HasSubstr("what was good before")));
  EXPECT_TRUE(is_refused());
  fs::remove(compiled());
  EXPECT_TRUE(await([&] { return status().find("what was good before") != std::string::npos; }))
      << status();
  EXPECT_TRUE(is_enforced());
  fs::remove(node().config() / "policies" / "bad.yaml");
  fs::remove_all(node().directory() / "aside");
  EXPECT_TRUE(await([&] { return status().find("\nproblem") == std::string::npos; })) << status();
}

TEST_F(LostFiles, N02_ANodeThatChoseToStayOpenRunsThemAndPsNamesThem) {
  std::ofstream(node().config() / "wardd.yaml")
      << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nwhenUngoverned: open\n";
  ASSERT_TRUE(await([&] {
    std::ifstream mark(run() / "governed");
    std::string text;
    std::getline(mark, text);
    return text.find("open") != std::string::npos;
  }));
  node().stop_wardd(SIGKILL);
  fs::rename(compiled(), node().directory() / "aside");
  const std::string id = node().unique("deny");
  EXPECT_EQ(node().ctr(run_arguments(id, {"-d"}, {"/box", "wait"})).status, 0);
  fs::rename(node().directory() / "aside", compiled());
  fs::remove(node().config() / "wardd.yaml");
  node().start_wardd();
  EXPECT_TRUE(await([&] {
    return row(id).is_object() && row(id)["note"].get<std::string>().find("ungoverned") == 0;
  })) << row(id);
  node().remove(id);
}

TEST_F(LostFiles, N04_WhateverIsGoneOfTheConfigurationAtStartEnforcementStays) {
  ASSERT_TRUE(is_enforced());
  const fs::path aside = node().directory() / "aside";
  for (const fs::path& lost :
       {node().config() / "policies", node().config() / "profiles", node().config()}) {
    node().stop_wardd(SIGTERM);
    fs::rename(lost, aside);
    node().start_wardd();
    EXPECT_TRUE(is_enforced()) << lost;
    EXPECT_THAT(status(), HasSubstr("the directory is gone")) << lost;
    EXPECT_THAT(status(), HasSubstr("in force: what was good before")) << lost;
    fs::rename(aside, lost);
    EXPECT_TRUE(await([&] { return status().find("\nproblem") == std::string::npos; })) << status();
  }
}

void write_many(const Node& node, int from, int to) {
  for (int file = from; file < to; ++file) {
    std::string text = "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: many-" +
                       std::to_string(file) + "}\nspec:\n  rules:\n";
    for (int i = 0; i < 1000; ++i) {
      text += "    - {match: {containers: [m" + std::to_string(file) + "-" + std::to_string(i) +
              "]}, mode: enforce, profile: box, onViolation: {workload: {action: deny}}}\n";
    }
    node.write_policy("many-" + std::to_string(file), text);
  }
}

TEST_F(LostFiles, N03_FortyFilesOfAThousandRulesAreInForce) {
  constexpr std::chrono::seconds kReload{60};
  ASSERT_TRUE(is_enforced());
  write_many(node(), 10, 50);
  EXPECT_TRUE(await([&] { return status().find("policies 41,") != std::string::npos; }, kReload));
  EXPECT_EQ(run_box("m49-999", {"/box", "attack", "unshare"}).out, "unshare -1 1\n");
  EXPECT_TRUE(is_enforced());
  const char* is_long = std::getenv("WARD_TEST_LONG");
  if (is_long != nullptr && *is_long == '1') {
    write_many(node(), 50, 61);
    EXPECT_TRUE(
        await([&] { return status().find("more than 50000 rules") != std::string::npos; }, kReload))
        << status();
    EXPECT_TRUE(is_enforced());
    EXPECT_EQ(run_box("m49-999", {"/box", "attack", "unshare"}).out, "unshare -1 1\n")
        << "the last good stays";
  }
  for (int file = 10; file < 61; ++file) {
    fs::remove(node().config() / "policies" / ("many-" + std::to_string(file) + ".yaml"));
  }
  EXPECT_TRUE(await([&] { return status().find("policies 1,") != std::string::npos; }, kReload));
}

}  // namespace
}  // namespace ward::test
