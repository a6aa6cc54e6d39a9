// SPDX-License-Identifier: Apache-2.0
#include "cli/node/config_text.h"

#include <algorithm>
#include <vector>

namespace ward::cli::node {
namespace {

constexpr std::string_view kBegin =
    "# ward: begin. Made by `ward node install`, taken out by `ward node uninstall`";
// The line before had no newline: it must have none again.
constexpr std::string_view kJoined = " (after an unfinished line)";
constexpr std::string_view kEnd = "# ward: end";
constexpr std::string_view kAnyBegin = "# ward: begin";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

bool begins_with(std::string_view line, std::string_view begin) {
  return line.substr(0, begin.size()) == begin;
}

}  // namespace

Result<FencedText> split_block(std::string_view text, const std::string& name) {
  FencedText split;
  bool inside = false;
  int number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    const auto wrong = [&](const std::string& what) {
      return fail(Code::kFailedPrecondition,
                  name + ":" + std::to_string(number) + ": " + what +
                      ": take what is between `# ward: begin` and `# ward: end` out, with both "
                      "lines");
    };
    if (begins_with(line, kAnyBegin)) {
      if (inside || split.block) return wrong("a second block of Ward");
      inside = true;
      split.block = "";
      if (line.find(kJoined) != std::string_view::npos && !split.rest.empty())
        split.rest.pop_back();
    } else if (begins_with(line, kEnd)) {
      if (!inside) return wrong("the end of a block of Ward that has no beginning");
      inside = false;
    } else if (inside) {
      *split.block += line;
    } else {
      split.rest += line;
    }
  }
  if (inside)
    return fail(Code::kFailedPrecondition,
                name + ": the block of Ward has no end: take it out from `# ward: begin` on");
  return split;
}

std::string with_block(std::string_view rest, std::string_view block) {
  std::string text(rest);
  const bool joined = !text.empty() && text.back() != '\n';
  if (joined) text += "\n";
  text += std::string(kBegin) + std::string(joined ? kJoined : "") + "\n";
  text += block;
  if (!block.empty() && block.back() != '\n') text += "\n";
  return text + std::string(kEnd) + "\n";
}

std::string line_difference(std::string_view before, std::string_view after) {
  const auto old = lines_of(before), now = lines_of(after);
  std::size_t begin = 0, end = 0;
  const std::size_t most = std::min(old.size(), now.size());
  while (begin < most && old[begin] == now[begin]) ++begin;
  while (end < most - begin && old[old.size() - 1 - end] == now[now.size() - 1 - end]) ++end;
  std::string text;
  const auto add = [&text, begin, end](char sign, const std::vector<std::string_view>& lines) {
    for (std::size_t i = begin; i < lines.size() - end; ++i) {
      text += sign + std::string(lines[i]);
      if (text.back() != '\n') text += "\n";
    }
  };
  add('-', old);
  add('+', now);
  return text;
}

}  // namespace ward::cli::node
