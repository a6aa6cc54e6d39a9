// SPDX-License-Identifier: Apache-2.0
// The command line as a tree: what its help shows can be typed, and what a shell offers is what it
// takes.
#include "cli/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "cli/candidates.h"
#include "lib/base/unique_fd.h"

namespace ward::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// What is typed runs, and finds neither a wardd nor a file.
class Tree : public testing::Test {
 protected:
  Tree() : app_(make_app(session_, exit_code_)) {
    session_.places.run = "/nowhere";
    EXPECT_EQ(::chdir("/proc/self/fdinfo"), 0);
    EXPECT_NE(std::freopen("/dev/null", "r", stdin), nullptr);
  }
  ~Tree() override { EXPECT_EQ(::fchdir(here_.get()), 0); }

  static std::vector<const CLI::App*> all_below(const CLI::App& app) {
    std::vector<const CLI::App*> all;
    for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
      all.push_back(below);
      const auto deeper = all_below(*below);
      all.insert(all.end(), deeper.begin(), deeper.end());
    }
    return all;
  }
  static std::string name_of(const CLI::App& app) {
    return (app.get_parent() == nullptr ? "" : name_of(*app.get_parent()) + " ") + app.get_name();
  }
  static std::vector<std::string> examples_of(const CLI::App& app) {
    std::istringstream help(app.get_footer());
    std::vector<std::string> found;
    for (std::string line; std::getline(help, line);) {
      if (line.rfind("  ward ", 0) == 0) found.push_back(line.substr(2));
    }
    return found;
  }
  // As a shell cuts a line with plain words and 'quoted ones'.
  static std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words{""};
    bool quoted = false;
    for (const char c : line) {
      if (c == '\'') {
        quoted = !quoted;
      } else if (c == ' ' && !quoted) {
        words.emplace_back();
      } else {
        words.back() += c;
      }
    }
    return words;
  }
  std::string why_not(const std::string& line) {
    auto words = words_of(line);
    std::reverse(words.begin(), words.end());
    words.pop_back();  // "ward"
    try {
      app_->parse(words);
    } catch (const CLI::Error& error) {
      return error.what();
    }
    return exit_code_ == kExitUsage ? "exit code 2" : "";
  }

  std::vector<std::string> offered(std::vector<std::string> words) {
    const auto found = complete(*app_, words, [](std::string_view value) {
      return value == kContainerValue ? std::vector<std::string>{"web-1", "web-2"}
                                      : std::vector<std::string>{};
    });
    std::vector<std::string> texts;
    for (const Candidate& candidate : found.words) texts.push_back(candidate.text);
    if (found.files) texts.emplace_back(":files");
    return texts;
  }

  const UniqueFd here_{::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  Session session_;
  int exit_code_ = 0;
  std::unique_ptr<CLI::App> app_;
};

TEST_F(Tree, EveryVerbsHelpHasAnExampleOfItAndEachCanBeTyped) {
  const auto verbs = all_below(*app_);
  EXPECT_GT(verbs.size(), 20U);
  for (const CLI::App* verb : verbs) {
    const auto examples = examples_of(*verb);
    EXPECT_THAT(examples, Not(IsEmpty())) << name_of(*verb);
    bool of_its_own = verb->get_name() == "learn" || verb->get_name() == "profile" ||
                      verb->get_name() == "quarantine";
    for (const std::string& example : examples) {
      EXPECT_EQ(why_not(example), "") << example;
      of_its_own = of_its_own || (example + " ").rfind(name_of(*verb) + " ", 0) == 0;
    }
    EXPECT_TRUE(of_its_own) << name_of(*verb);
  }
}

TEST_F(Tree, AnExampleThatCannotBeTypedWouldBeSeen) {
  EXPECT_NE(why_not("ward learn shwo web"), "");
  EXPECT_NE(why_not("ward mode web-1 learn"), "");
  EXPECT_NE(why_not("ward ps --nothing"), "");
}

TEST_F(Tree, EveryVerbAndOptionIsOffered) {
  for (const CLI::App* verb : all_below(*app_)) {
    auto words = words_of(name_of(*verb));
    words.erase(words.begin());
    std::vector<std::string> before(words.begin(), words.end() - 1);
    before.emplace_back("");
    EXPECT_THAT(offered(before), Contains(words.back())) << name_of(*verb);
    words.emplace_back("--");
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        EXPECT_THAT(offered(words), Contains("--" + name)) << name_of(*verb);
      }
    }
    EXPECT_THAT(offered(words), AllOf(Contains("--output"), Contains("--help"))) << name_of(*verb);
  }
}

TEST_F(Tree, WhatIsTypedDecidesWhatIsOffered) {
  EXPECT_THAT(offered({"pro"}), ElementsAre("profile"));
  EXPECT_THAT(offered({"profile", "l"}), ElementsAre("list", "lint"));
  EXPECT_THAT(offered({"quarantine", "kill", ""}), ElementsAre("web-1", "web-2"));
  EXPECT_THAT(offered({"quarantine", "kill", "web-2"}), ElementsAre("web-2"));
  EXPECT_THAT(offered({"quarantine", "kill", "web-2", ""}), IsEmpty());
  EXPECT_THAT(offered({"mode", "web-1", ""}), ElementsAre("supervise", "enforce"));
  EXPECT_THAT(offered({"mode", "--reason", "because", "web-1", "e"}), ElementsAre("enforce"));
  EXPECT_THAT(offered({"events", "-c", ""}), ElementsAre("web-1", "web-2"));
  EXPECT_THAT(offered({"events", "-n", "5", "--fol"}), ElementsAre("--follow"));
  EXPECT_THAT(offered({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(offered({"help", "learn", "f"}), ElementsAre("forget"));
  EXPECT_THAT(offered({"profile", "lint", "a.yaml", ""}), ElementsAre(":files"));
  EXPECT_THAT(offered({"profile", "compile", "a.yaml", "--out", ""}), ElementsAre(":files"));
  EXPECT_THAT(offered({"nonsense", ""}), Not(Contains("web-1")));
}

TEST_F(Tree, TheValueOfAnOptionIsOfferedHoweverTheShellCutsIt) {
  EXPECT_THAT(offered({"ps", "--output", "j"}), ElementsAre("json"));
  EXPECT_THAT(offered({"ps", "--output=j"}), ElementsAre("--output=json"));  // zsh, fish
  EXPECT_THAT(offered({"ps", "--output", "=", "j"}), ElementsAre("json"));   // bash
  EXPECT_THAT(offered({"ps", "--output", "="}),
              ElementsAre("text", "json"));  // bash, nothing typed yet
  EXPECT_THAT(offered({"-o", "json", "stat"}), ElementsAre("status"));
  EXPECT_THAT(offered({"--output=json", "stat"}), ElementsAre("status"));
  EXPECT_THAT(offered({"profile", "compile", "--format", "o"}), ElementsAre("oci"));
  EXPECT_THAT(offered({"syscalls", "--class", ""}), ElementsAre("self", "held", "reach", "danger"));
}

TEST_F(Tree, NoWordsAreTheBeginning) {
  EXPECT_THAT(offered({}), AllOf(Contains("status"), Contains("help"), Not(Contains("complete"))));
  EXPECT_THAT(offered({"-"}), AllOf(Contains("--version"), Contains("-o")));
}

}  // namespace
}  // namespace ward::cli
