// SPDX-License-Identifier: Apache-2.0
// Writes HTML and SVG so that text cannot become markup: names of elements and attributes are
// constants of the program, everything else goes through escaping. What is written is ASCII: a byte
// that is not printable is shown as \xNN, so that neither an encoding nor a mark that turns the
// reading direction changes what somebody sees. There is no way to write a script, a style or an
// address of another page.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ward::html {

// A text that stands in the program. Anything else does not compile.
class Literal {
 public:
  consteval Literal(const char* text) : text_(text) {}  // NOLINT: that is the purpose
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// The name of an element. `script` and what loads or embeds something is refused by the compiler.
class Tag {
 public:
  consteval Tag(const char* name) : name_(name) {  // NOLINT
    for (const char* refused : {"script", "iframe", "object", "embed", "base", "link", "img",
                                "image", "use", "form", "foreignObject", "style", "meta"})
      if (name_ == refused) throw "this element is not for pages of ours";
  }
  [[nodiscard]] std::string_view name() const { return name_; }

 private:
  std::string_view name_;
};

// The name of an attribute. What runs, loads or styles is refused by the compiler.
class AttributeName {
 public:
  consteval AttributeName(const char* name) : name_(name) {  // NOLINT
    if (name_.starts_with("on")) throw "handlers are scripts";
    for (const char* refused : {"href", "src", "srcset", "srcdoc", "style", "action", "data",
                                "xlink:href", "formaction", "background", "ping"})
      if (name_ == refused) throw "this attribute is not for pages of ours; see Writer::link()";
  }
  [[nodiscard]] std::string_view name() const { return name_; }

 private:
  std::string_view name_;
};

struct Attribute {
  AttributeName name;
  std::string_view value;
};
using Attributes = std::initializer_list<Attribute>;

// What a Writer has written, and nothing else.
class Html {
 public:
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  friend class Writer;
  explicit Html(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

class Writer {
 public:
  static constexpr std::size_t kMaxText = 4096;

  Writer& open(Tag tag, Attributes attributes = {});
  Writer& close();  // the innermost element that is open
  // An element with this text and nothing else.
  Writer& element(Tag tag, std::string_view text) { return element(tag, {}, text); }
  Writer& element(Tag tag, Attributes attributes, std::string_view text);
  // Words of ours, or what was escaped already: a backslash stays one.
  Writer& text(std::string_view sentence, std::size_t max_bytes = kMaxText);
  // Bytes of somebody else: a backslash doubles, so that \x41 is no A.
  Writer& data(std::string_view bytes, std::size_t max_bytes = 256);
  // Newlines stay, for <pre>.
  Writer& lines(std::string_view text, std::size_t max_bytes);
  // To a place of this page ("#calls") or to a file beside it ("incident-1.html").
  Writer& link(std::string_view relative, std::string_view text);

  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] std::size_t depth() const { return open_.size(); }
  // Closes what is open.
  Html finish() &&;

 private:
  void begin(std::string_view tag, Attributes attributes);

  std::string out_;
  std::vector<std::string_view> open_;
};

// A whole document with this body. No script, no request, no form can come from it: its policy
// allows one style by its hash and nothing else.
std::string document(std::string_view title, Literal css, const Html& body);

// As in an element or in a quoted attribute.
std::string escaped(std::string_view sentence, std::size_t max_bytes);

}  // namespace ward::html
