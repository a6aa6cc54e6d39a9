// SPDX-License-Identifier: Apache-2.0
#include "tests/support/page_blocks.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

namespace ward::test {
namespace {

constexpr std::string_view kFence = "```";

// sh walk=memcached not-run="a reason of several words"
void read_marks(const std::string& text, Block& block) {
  static const std::regex mark(R"RE(([A-Za-z-]+)(=("([^"]*)"|[^\s"]+))?)RE");
  bool first = true;
  for (std::sregex_iterator at(text.begin(), text.end(), mark), end; at != end; ++at) {
    const std::smatch& found = *at;
    if (first && !found[2].matched) {
      block.language = found[1];
    } else {
      block.marks[found[1]] = found[4].matched ? found[4] : found[3];
    }
    first = false;
  }
}

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t") == std::string::npos;
}

// What may differ from one run to the next becomes one word.
std::string plain(const std::string& line) {
  static const std::vector<std::pair<std::regex, std::string>> rules = {
      {std::regex("\x1b\\[[0-9;]*m"), ""},
      {std::regex(R"([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+Z?)"), "TIME"},
      {std::regex(R"([0-9]+(\.[0-9]+)? (us|ms|s)\b)"), "TIME"},
      {std::regex(R"(\b[0-9]+(h|m|s)\b)"), "TIME"},
      {std::regex(R"(\b0x[0-9a-f]+)"), "NUMBER"},
      {std::regex(R"(\b[0-9a-f]{12,}-[0-9]+\b)"), "ID"},
      {std::regex(R"(\b(?=[a-f]*[0-9])[0-9a-f]{8,}\b)"), "DIGEST"},
      // Not that of memcached-3: a name is a name.
      {std::regex(R"((^|[^A-Za-z0-9_.-])[0-9]+(\.[0-9]+)?\b)"), "$1NUMBER"},
      {std::regex("[ \t\r]+"), " "},
      // How fast the machine is decides whether ten quiet seconds have passed by then.
      {std::regex("( RUNNING .*) (boot|serving) "), "$1 PHASE "},
      {std::regex(" +$"), ""},
  };
  std::string text = line;
  for (const auto& [pattern, word] : rules) text = std::regex_replace(text, pattern, word);
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (!is_blank(line)) lines.push_back(line);
  return lines;
}

}  // namespace

std::string Block::text() const {
  std::string all;
  for (const std::string& one : lines) all += one + "\n";
  return all;
}

std::vector<Block> read_blocks(const std::string& page, std::istream& text) {
  std::vector<Block> blocks;
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    const bool fence = line.compare(0, kFence.size(), kFence) == 0;
    if (inside && !fence) blocks.back().lines.push_back(line);
    if (!inside && fence) {
      blocks.push_back({page, number + 1, {}, {}, {}});
      read_marks(line.substr(kFence.size()), blocks.back());
    }
    if (fence) inside = !inside;
  }
  return blocks;
}

std::vector<Block> blocks_of_all_pages() {
  std::vector<std::string> pages;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("docs"))
    if (entry.path().extension() == ".md") pages.push_back(entry.path().string());
  std::sort(pages.begin(), pages.end());
  pages.insert(pages.begin(), "README.md");
  std::vector<Block> all;
  for (const std::string& page : pages) {
    std::ifstream file(page);
    const auto blocks = read_blocks(page, file);
    all.insert(all.end(), blocks.begin(), blocks.end());
  }
  return all;
}

bool has_command(const Block& block) {
  static const std::string words = "(sudo )?(ward|wardd|ctr|scripts/[a-z-]+)( |$)";
  static const std::regex in_shell("(^|[;&|(])\\s*" + words), typed("(^|^ *\\$ )" + words);
  const bool is_shell =
      block.language == "sh" || block.language == "bash" || block.language == "shell";
  return std::any_of(block.lines.begin(), block.lines.end(), [&](const std::string& line) {
    return std::regex_search(line, is_shell ? in_shell : typed);
  });
}

std::vector<Command> commands_of(const Block& block) {
  if (block.language != "console") return {{block.where(), block.text(), false, {}}};
  std::vector<Command> commands;
  for (std::size_t i = 0; i < block.lines.size(); ++i) {
    const std::string& line = block.lines[i];
    const bool goes_on =
        !commands.empty() && commands.back().text.size() > 1 && commands.back().shown.empty() &&
        commands.back().text.compare(commands.back().text.size() - 2, 2, "\\\n") == 0;
    if (line.compare(0, 2, "$ ") == 0) {
      commands.push_back({block.page + ":" + std::to_string(block.line + static_cast<int>(i)),
                          line.substr(2) + "\n",
                          true,
                          {}});
    } else if (goes_on) {
      commands.back().text += line + "\n";
    } else if (!commands.empty() && !is_blank(line)) {
      commands.back().shown.push_back(line);
    }
  }
  return commands;
}

std::string first_difference(const std::vector<std::string>& shown, const std::string& said) {
  const std::vector<std::string> lines = lines_of(said);
  std::size_t at = 0;
  bool skips = false;  // since the last line that was compared
  for (const std::string& wanted : shown) {
    if (wanted == "...") {
      skips = true;
      continue;
    }
    const std::string pattern = plain(wanted);
    while (skips && at < lines.size() && plain(lines[at]) != pattern) ++at;
    if (at == lines.size() || plain(lines[at]) != pattern) return wanted;
    ++at;
    skips = false;
  }
  return at == lines.size() || skips ? "" : "nothing more, and not: " + lines[at];
}

}  // namespace ward::test
