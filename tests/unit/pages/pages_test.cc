// SPDX-License-Identifier: Apache-2.0
// What README.md and docs/ show: every block with commands is run by a test
// (tests/integration/walks_test.cc) or says why none does, every whole document is valid, and the
// demo's transcript is made of what the demo says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>
#include <sstream>

#include "profiles/yaml/node_config.h"
#include "profiles/yaml/read_yaml.h"
#include "tests/support/page_blocks.h"

namespace ward::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kShortestReason = 15;

// What is wrong with the marks of a block, or empty.
std::string complaint(const Block& block) {
  const auto& marks = block.marks;
  for (const auto& [key, value] : marks)
    if (key != "walk" && key != "not-run" && key != "demo")
      return "no mark is called '" + key + "'";
  if (marks.size() > 1) return "a block is run, or it is not";
  const auto reason = marks.find("not-run");
  if (reason != marks.end() && reason->second.size() < kShortestReason)
    return "not-run needs a reason";
  if (has_command(block) && marks.empty())
    return "commands, and neither walk=NAME nor not-run=\"why\"";
  return "";
}

std::vector<Block> blocks(const std::string& text) {
  std::istringstream stream(text);
  return read_blocks("page.md", stream);
}

TEST(Pages, F31_EveryBlockWithCommandsIsRunOrSaysWhyNot) {
  for (const Block& block : blocks_of_all_pages())
    EXPECT_EQ(complaint(block), "") << block.where() << "\n" << block.text();
}

TEST(Pages, F31_ABlockWithCommandsThatNobodyRunsIsFound) {
  for (const char* text :
       {"```sh\nward status\n```\n", "```\n$ ctr task ls\n```\n", "```sh\ncd x && ward ps\n```\n",
        "```sh\nwardd &\n```\n", "```sh not-run=\"no\"\nwardd &\n```\n", "```sh unrun\nls\n```\n"})
    EXPECT_NE(complaint(blocks(text).at(0)), "") << text;
  for (const char* text : {"```sh walk=a\nward status\n```\n", "```yaml\nkind: Policy\n```\n",
                           "```sh not-run=\"needs a cluster of its own\"\nward status\n```\n",
                           "```\nthe ward ctr\n   wardd <--- shim\n```\n"})
    EXPECT_EQ(complaint(blocks(text).at(0)), "") << text;
}

TEST(Pages, F31_BlocksAreReadWithTheirMarksAndLines) {
  const auto found = blocks(
      "a\n```sh walk=memcached\nx\n\ny\n```\n```\nz\n```\n```console not-run=\"a b\"\n```\n");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].where(), "page.md:3");
  EXPECT_EQ(found[0].language, "sh");
  EXPECT_EQ(found[0].marks.at("walk"), "memcached");
  EXPECT_THAT(found[0].lines, ElementsAre("x", "", "y"));
  EXPECT_EQ(found[1].language, "");
  EXPECT_EQ(found[2].marks.at("not-run"), "a b");
}

TEST(Pages, F31_AConsoleBlockIsItsCommandsAndWhatTheySay) {
  const auto found =
      commands_of(blocks("```console walk=a\n$ one \\\n  two\nsaid\n\n$ three\n```\n").at(0));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].text, "one \\\n  two\n");
  EXPECT_THAT(found[0].shown, ElementsAre("said"));
  EXPECT_EQ(found[1].where, "page.md:6");
  EXPECT_THAT(found[1].shown, IsEmpty());
}

TEST(Pages, F31_ShownLinesAreComparedButForWhatMayDiffer) {
  EXPECT_EQ(first_difference({"profile m version 2, digest c6a58a0a8689", "...", "b  c"},
                             "profile m version 3, digest 0123456789ab\nx\nb c\n"),
            "");
  EXPECT_EQ(first_difference({"answered after 618 us, frozen after 5.0 ms"},
                             "answered after 1.2 ms, frozen after 700 us\n"),
            "");
  EXPECT_EQ(first_difference({"a", "b"}, "b\na\n"), "a");
  EXPECT_EQ(first_difference({"a"}, "a\nb\n"), "nothing more, and not: b");
  EXPECT_EQ(first_difference({"a", "..."}, "a\nb\n"), "");
  EXPECT_NE(first_difference({"memcached-4  QUARANTINED  3s"}, "memcached-4  RUNNING  3s\n"), "");
  EXPECT_NE(first_difference({"memcached-4  RUNNING"}, "memcached-3  RUNNING\n"), "");
}

// Documents of Ward's, also those that a command writes (<<WORD ... WORD).
std::vector<std::pair<std::string, std::string>> documents_of(const Block& block) {
  static const std::regex end_of_here_document("[A-Z]+");
  std::vector<std::pair<std::string, std::string>> found;
  bool inside = false;
  for (std::size_t i = 0; i < block.lines.size(); ++i) {
    const std::string& line = block.lines[i];
    if (line == "apiVersion: ward.dev/v1alpha1") {
      found.emplace_back(block.page + ":" + std::to_string(block.line + static_cast<int>(i)), "");
      inside = true;
    } else if (std::regex_match(line, end_of_here_document)) {
      inside = false;
    }
    if (inside) found.back().second += line + "\n";
  }
  return found;
}

std::string refusal(const std::string& where, const std::string& document) {
  const auto kind = profiles::read_kind(document, where);
  if (!kind) return kind.error().message;
  const auto told = [](const auto& result) {
    return result ? std::string() : result.error().message;
  };
  if (*kind == "Policy") return told(profiles::read_policy(document, where));
  if (*kind == "NodeConfig") return told(profiles::read_node_config(document, where));
  return told(profiles::read_profile(document, where));
}

TEST(Pages, F31_EveryWholeDocumentIsValid) {
  std::size_t documents = 0;
  for (const Block& block : blocks_of_all_pages())
    for (const auto& [where, document] : documents_of(block)) {
      EXPECT_EQ(refusal(where, document), "");
      ++documents;
    }
  EXPECT_GE(documents, 4U);
}

TEST(Pages, F31_ADocumentThatACommandWritesIsReadToo) {
  const auto found = documents_of(
      blocks("```sh\ncat >x <<YAML\napiVersion: ward.dev/v1alpha1\nkind: Policy\nYAML\nls\n```\n")
          .at(0));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].first, "page.md:3");
  EXPECT_EQ(found[0].second, "apiVersion: ward.dev/v1alpha1\nkind: Policy\n");
  EXPECT_NE(refusal(found[0].first, found[0].second), "");
}

TEST(Pages, F31_TheTranscriptOfTheDemoIsMadeOfWhatItSays) {
  EXPECT_EQ(std::system("python3 tests/demo/transcript.py"), 0);
}

}  // namespace
}  // namespace ward::test
