// SPDX-License-Identifier: Apache-2.0
#include "cli/node/config_text.h"

#include <algorithm>
#include <utility>
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

// Whether a line begins inside a string of several lines, where a fence is none.
class Strings {
 public:
  [[nodiscard]] bool inside() const { return !open_.empty(); }
  void pass(std::string_view line) {
    std::size_t at = 0;
    while (at < line.size()) {
      if (inside()) {
        at = after_end(line, at, open_);
        continue;
      }
      const char c = line[at];
      if (c == '#') return;
      if (c != '"' && c != '\'') {
        ++at;
        continue;
      }
      open_ = begins_with(line.substr(at), c == '"' ? kBasic : kLiteral)
                  ? (c == '"' ? kBasic : kLiteral)
                  : line.substr(at, 1);
      at = after_end(line, at + open_.size(), open_);
    }
    if (open_.size() == 1) open_ = {};  // a string of one line ends with it
  }

 private:
  static constexpr std::string_view kBasic = R"(""")", kLiteral = "'''";

  std::size_t after_end(std::string_view line, std::size_t at, std::string_view mark) {
    for (; at < line.size(); ++at) {
      if (mark[0] == '"' && line[at] == '\\') {
        ++at;
      } else if (begins_with(line.substr(at), mark)) {
        at += mark.size();
        // Up to two quotation marks may stand before the three that end it.
        for (int more = 0; mark.size() == 3 && more < 2 && at < line.size() && line[at] == mark[0];
             ++more)
          ++at;
        open_ = {};
        return at;
      }
    }
    return line.size();
  }

  std::string_view open_;  // what began the string that is not ended
};

// At the beginning of a line, and once.
void take_known(std::string_view known, FencedText& split) {
  const auto at = known.empty() ? std::string::npos : split.rest.find(known);
  if (at == std::string::npos || (at > 0 && split.rest[at - 1] != '\n') ||
      split.rest.find(known, at + 1) != std::string::npos)
    return;
  split.block = std::string(known);
  split.rest.erase(at, known.size());
}

}  // namespace

Result<FencedText> split_block(std::string_view text, const std::string& name,
                               std::string_view known) {
  FencedText split;
  Strings strings;
  bool inside = false, joined = false;
  std::size_t before = 0;  // bytes of the rest that stand before the block
  int number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    const auto wrong = [&](const std::string& what) {
      std::string said = name + ":" + std::to_string(number) + ": ";
      said += what;
      said += ": take what is between `# ward: begin` and `# ward: end` out, with both lines";
      return fail(Code::kFailedPrecondition, std::move(said));
    };
    const bool text_of_string = strings.inside();
    strings.pass(line);
    if (!text_of_string && begins_with(line, kAnyBegin)) {
      if (inside || split.block) return wrong("a second block of Ward");
      inside = true;
      split.block = "";
      joined = line.find(kJoined) != std::string_view::npos;
      before = split.rest.size();
    } else if (!text_of_string && begins_with(line, kEnd)) {
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
  if (!split.block) take_known(known, split);
  // Where others have appended lines since, the newline is theirs by now.
  if (joined && before > 0 && split.rest.size() == before) split.rest.pop_back();
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
