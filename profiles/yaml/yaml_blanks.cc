// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/yaml_blanks.h"

#include <array>
#include <cstdio>
#include <vector>

#include "lib/base/utf8.h"

namespace ward::profiles {
namespace {

// Blanks of Unicode, and what has no width at all.
bool looks_blank(char32_t c) {
  return c == 0x85 || c == 0xA0 || c == 0x1680 || c == 0x180E || (c >= 0x2000 && c <= 0x200F) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x2060 || c == 0x3000 ||
         c == 0xFEFF;
}

std::string describe(char32_t c) {
  std::array<char, 16> code{};
  std::snprintf(code.data(), code.size(), "U+%04X", static_cast<unsigned>(c));
  const bool no_break = c == 0xA0 || c == 0x202F || c == 0x2060 || c == 0xFEFF;
  return std::string(no_break ? "a no-break space (" : "an invisible character (") + code.data() +
         ") stands here, where only a plain space can: type it anew, or put the word in quotes";
}

std::u32string decode(std::string_view text) {
  constexpr std::array<std::uint8_t, 5> kLeadBits = {0, 0x7F, 0x1F, 0x0F, 0x07};
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) break;
    char32_t c = static_cast<std::uint8_t>(text[i]) & kLeadBits.at(length);
    for (std::size_t k = 1; k < length; ++k)
      c = (c << 6U) | (static_cast<std::uint8_t>(text[i + k]) & 0x3FU);
    out += c;
    i += length;
  }
  return out;
}

// Goes through the text as YAML's own scanner would, as far as needed to know where a word may
// begin.
class Scan {
 public:
  explicit Scan(std::u32string text) : text_(std::move(text)) {}

  FalseBlanks run() {
    std::size_t begin = 0;
    // A byte order mark is none of the text.
    if (!text_.empty() && text_.front() == 0xFEFF) begin = 1;
    while (begin < text_.size()) {
      std::size_t end = text_.find(U'\n', begin);
      if (end == std::u32string::npos) end = text_.size();
      line(begin, end);
      ++line_number_;
      line_begin_ = begin = end + 1;
    }
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool ends_word(std::size_t i) const { return i >= end_ || is_blank(text_[i]); }
  static bool is_blank(char32_t c) { return c == U' ' || c == U'\t' || c == U'\r'; }
  [[nodiscard]] Position position(std::size_t i) const {
    return {line_number_, static_cast<int>(i - line_begin_) + 1};
  }

  void line(std::size_t begin, std::size_t end) {
    end_ = end;
    std::size_t i = begin;
    while (i < end && text_[i] == U' ') ++i;
    const std::size_t indent = i - begin;
    if (block_text_ && (ends_line(i) || indent > block_indent_)) return;
    block_text_ = false;
    if (quote_ == 0) {
      fresh_ = true;
      has_key_ = false;
      if (i < end && text_[i] == U'\t' && depth_ == 0 && !ends_line(i)) note_tab(i);
    }
    for (; i < end; ++i) {
      if (!character(i, indent)) return;
    }
  }

  // Nothing but blanks and a comment from here.
  [[nodiscard]] bool ends_line(std::size_t i) const {
    while (i < end_ && is_blank(text_[i])) ++i;
    return i >= end_ || text_[i] == U'#';
  }

  void note_tab(std::size_t i) {
    if (!found_.tab) {
      found_.tab = FalseBlank{
          position(i), "a tab indents this line, and YAML takes only spaces: replace it by spaces"};
    }
  }

  // `i` may be moved on; false: the rest of the line says nothing.
  bool character(std::size_t& i, std::size_t indent) {
    const char32_t c = text_[i];
    if (quote_ != 0) {
      in_quotes(i);
      return true;
    }
    if (is_blank(c)) return true;
    if (c == U'#' && (i == line_begin_ || is_blank(text_[i - 1]))) return false;
    if (looks_blank(c)) {
      blank_like(i);
    } else if (fresh_ && (c == U'"' || c == U'\'')) {
      quote_ = c;
    } else if (fresh_ && depth_ == 0 && (c == U'|' || c == U'>')) {
      block_text_ = true;
      block_indent_ = indent;
      return false;
    } else if (fresh_ && (c == U'[' || c == U'{')) {
      ++depth_;
      begin_item();
    } else if (depth_ > 0 && (c == U']' || c == U'}')) {
      --depth_;
      fresh_ = false;
    } else if (depth_ > 0 && c == U',') {
      begin_item();
    } else if (c == U':' && separates(i)) {
      has_key_ = fresh_ = true;
    } else if (!(fresh_ && depth_ == 0 && (c == U'-' || c == U'?') && separates(i))) {
      fresh_ = false;
    }
    return true;
  }

  void begin_item() {
    fresh_ = true;
    has_key_ = false;
  }

  // An indicator is one where a blank follows. With what only looks like one it was meant to be,
  // unless it is text.
  [[nodiscard]] bool separates(std::size_t i) const {
    return ends_word(i + 1) || (!has_key_ && looks_blank(text_[i + 1]));
  }

  void in_quotes(std::size_t& i) {
    const bool doubled =
        quote_ == U'\'' && i + 1 < end_ && text_[i] == quote_ && text_[i + 1] == quote_;
    if (doubled || (quote_ == U'"' && text_[i] == U'\\')) {
      ++i;
    } else if (text_[i] == quote_) {
      quote_ = 0;
      fresh_ = false;
    }
  }

  // In the middle of a text it does no harm.
  void blank_like(std::size_t& i) {
    const std::size_t first = i;
    while (i + 1 < end_ && (looks_blank(text_[i + 1]) || is_blank(text_[i + 1]))) ++i;
    const char32_t next = i + 1 < end_ ? text_[i + 1] : U'\n';
    const bool ends_item =
        next == U'\n' || (depth_ > 0 && (next == U',' || next == U']' || next == U'}'));
    const bool ends_key = next == U':' && !has_key_;
    if (!found_.look_alike && (fresh_ || ends_item || ends_key)) {
      found_.look_alike = FalseBlank{position(first), describe(text_[first])};
    }
  }

  std::u32string text_;
  FalseBlanks found_;
  int line_number_ = 1;
  std::size_t line_begin_ = 0;
  std::size_t end_ = 0;
  int depth_ = 0;         // of [ and {
  char32_t quote_ = 0;    // inside such quotes
  bool fresh_ = true;     // a word may begin here
  bool has_key_ = false;  // of the item that we are in
  bool block_text_ = false;
  std::size_t block_indent_ = 0;
};

}  // namespace

FalseBlanks find_false_blanks(std::string_view text) { return Scan(decode(text)).run(); }

}  // namespace ward::profiles
