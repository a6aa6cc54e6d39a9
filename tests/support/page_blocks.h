// SPDX-License-Identifier: Apache-2.0
// The fenced blocks of README.md and docs/, with what stands behind the language: ```sh
// walk=memcached is a part of that walk, ```sh not-run="why" says why no test runs it, ```console
// demo is what scripts/demo prints.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace ward::test {

struct Block {
  std::string page;  // "docs/operations.md"
  int line = 0;      // of its first line
  std::string language;
  std::map<std::string, std::string> marks;
  std::vector<std::string> lines;
  [[nodiscard]] std::string where() const { return page + ":" + std::to_string(line); }
  [[nodiscard]] std::string text() const;  // each line with its end
};

std::vector<Block> read_blocks(const std::string& page, std::istream& text);
std::vector<Block> blocks_of_all_pages();  // in the order of reading: README.md first

// A line that a reader may type, and that Ward or containerd's client answers.
bool has_command(const Block& block);

// A command of a walk, and what the page says that it prints.
struct Command {
  std::string where;
  std::string text;
  bool is_shown = false;
  std::vector<std::string> shown;
};
std::vector<Command> commands_of(const Block& block);

// Whether a command says what is shown, line by line: "..." stands for any lines; numbers, digests,
// times and the width of columns may be others. Empty, or the first shown line that is not said
// where it should be.
std::string first_difference(const std::vector<std::string>& shown, const std::string& said);

}  // namespace ward::test
