// SPDX-License-Identifier: Apache-2.0
// What `ward completion` prints, in the shells themselves: a person types and presses tab.
#include <cstdlib>
#include <fstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Completion : public GuardedTest {
 protected:
  static Child::Options with_ward(bool terminal) {
    Child::Options options = node().environment(terminal);
    options.environment.push_back("PATH=" + ward_binary().parent_path().string() + ":" +
                                  std::getenv("PATH"));
    options.environment.emplace_back("TERM=dumb");
    options.environment.emplace_back("HOME=" + node().directory().string());
    return options;
  }
  static bool is_there(const std::string& shell) {
    return run({"sh", "-c", "command -v " + shell}).status == 0;
  }

  // Types the line behind a mark, so that nothing that was there before is taken for the answer.
  static void type(Child& shell, const std::string& mark, const std::string& line) {
    shell.write("echo \"" + mark + "\"''-done\n");
    ASSERT_TRUE(shell.await_output(mark + "-done")) << shell.out();
    shell.write(line);
  }
  static void ask_as_a_person(Child& shell, const std::string& container) {
    type(shell, "verb", "ward prof\t");
    EXPECT_TRUE(shell.await_output("ward profile")) << shell.out();
    shell.write("li\t\t");
    EXPECT_TRUE(shell.await_output("list") && shell.await_output("lint")) << shell.out();
    shell.write("\x15");  // the line is not run
    type(shell, "container",
         "ward quarantine kill " + container.substr(0, container.size() - 2) + "\t");
    EXPECT_TRUE(shell.await_output("kill " + container)) << shell.out();
    shell.write("\x15");
    type(shell, "value", "ward ps --output=j\t");
    EXPECT_TRUE(shell.await_output("--output=json")) << shell.out();
    shell.write("\x15");
    type(shell, "file", "ward profile lint " + node().directory().string() + "/only-\t");
    EXPECT_TRUE(shell.await_output("/only-one.yaml")) << shell.out();
    shell.write(
        "\x15"
        "exit\n");
    EXPECT_EQ(shell.wait(), 0);
  }
};

TEST_F(Completion, BashCompletesVerbsOptionsContainersAndFiles) {
  std::ofstream(node().directory() / "only-one.yaml") << "x";
  const std::string id = start_watched("deny");
  Child shell({"bash", "--norc", "--noprofile", "-i"}, with_ward(true));
  shell.write("PS1='> '; source <(ward completion bash)\n");
  ask_as_a_person(shell, id);
  node().remove(id);
}

TEST_F(Completion, ZshCompletesVerbsOptionsContainersAndFiles) {
  if (!is_there("zsh")) GTEST_SKIP() << "there is no zsh";
  std::ofstream(node().directory() / "only-one.yaml") << "x";
  const std::string id = start_watched("deny");
  Child shell({"zsh", "-f", "-i"}, with_ward(true));
  shell.write(
      "PS1='> '; unsetopt beep list_beep; autoload -U compinit; compinit -u -D; source <(ward "
      "completion zsh)\n");
  ask_as_a_person(shell, id);
  node().remove(id);
}

TEST_F(Completion, FishCompletesVerbsOptionsContainersAndFiles) {
  if (!is_there("fish")) GTEST_SKIP() << "there is no fish";
  std::ofstream(node().directory() / "only-one.yaml") << "x";
  const std::string id = start_watched("deny");
  const auto completed = [](const std::string& line) {
    const Output output = run(
        {"fish", "--no-config", "-c", "ward completion fish | source; complete -C '" + line + "'"},
        with_ward(false));
    EXPECT_EQ(output.status, 0) << output.err;
    return output.out;
  };
  EXPECT_THAT(completed("ward prof"), HasSubstr("profile\tProfiles: "));
  EXPECT_THAT(completed("ward profile li"), AllOf(HasSubstr("list\t"), HasSubstr("lint\t")));
  EXPECT_THAT(completed("ward quarantine kill de"), HasSubstr(id));
  EXPECT_THAT(completed("ward ps --output=j"), HasSubstr("--output=json"));
  EXPECT_THAT(completed("ward profile lint " + node().directory().string() + "/only-"),
              HasSubstr("/only-one.yaml"));
  node().remove(id);
}

TEST_F(Completion, WithoutWarddOrWithHalfAWordNothingIsSaid) {
  const auto complete = [](std::vector<std::string> words) {
    words.insert(words.begin(), "complete");
    return node().ward(words);
  };
  for (const auto& words :
       std::vector<std::vector<std::string>>{{},
                                             {""},
                                             {"--run-dir", "/nowhere", "mode", ""},
                                             {"ps", "--outp"},
                                             {"\xff", "\x1b[31m"},
                                             {"ps", "=", "="}}) {
    const Output output = complete(words);
    EXPECT_EQ(output.status, 0);
    EXPECT_EQ(output.err, "");
  }
  EXPECT_EQ(complete({"--run-dir", "/nowhere", "mode", ""}).out, "");
  EXPECT_EQ(node().ward({"completion", "tcsh"}).status, 2);
}

}  // namespace
}  // namespace ward::test
