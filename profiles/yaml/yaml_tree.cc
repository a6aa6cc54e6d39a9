// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <optional>
#include <set>
#include <sstream>

#include "lib/base/escape.h"
#include "lib/base/utf8.h"
#include "profiles/yaml/yaml_blanks.h"

namespace ward::profiles {
namespace {

// Thrown through yaml-cpp, which has no other way to stop; caught in parse_yaml.
struct Refused {
  Position at;
  std::string what;
};

Position position_of(const YAML::Mark& mark) {
  return mark.is_null() ? Position{} : Position{mark.line + 1, mark.column + 1};
}

// Positions of the parser, in characters, as places in the text.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text), begins_{0} {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') begins_.push_back(i + 1);
    }
  }

  // At most the text's size.
  [[nodiscard]] std::size_t offset_of(Position at) const {
    const auto line = static_cast<std::size_t>(at.line - 1);
    if (line >= begins_.size()) return text_.size();
    std::size_t i = begins_[line];
    for (int column = 1; column < at.column && i < text_.size(); ++column)
      i += utf8_length(text_.substr(i));
    return i;
  }

  // The '-' of an item that has nothing: behind it come blanks and comments only, up to `end`.
  [[nodiscard]] std::optional<Position> last_dash_before(Position end) const {
    std::size_t stop = offset_of(end);
    for (int line = std::min(end.line, static_cast<int>(begins_.size())); line > 0; --line) {
      const std::size_t begin = begins_[static_cast<std::size_t>(line - 1)];
      std::string_view content = text_.substr(begin, stop - begin);
      const std::size_t word = content.find_first_not_of(" \t-");
      if (word != std::string_view::npos && content[word] == '#') content = content.substr(0, word);
      const std::size_t last = content.find_last_not_of(" \t\r\n");
      // Before a dash stand blanks and dashes only, so that a byte is a column.
      if (last != std::string_view::npos) {
        if (content[last] != '-') return std::nullopt;
        return Position{line, static_cast<int>(last) + 1};
      }
      stop = begin;
    }
    return std::nullopt;
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> begins_;
};

// Builds the tree bottom-up on an explicit stack, so that depth is ours to limit.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const Lines& lines) : text_(text), lines_(lines) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      throw Refused{position_of(mark),
                    "a second document starts here: put each document into a file of its own"};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    admit(mark, anchor, "?");
    YamlNode node;
    node.at = place_of_nothing(position_of(mark));
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Refused{position_of(mark), "aliases are not allowed: write the value out"};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    admit(mark, anchor, tag);
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.at = position_of(mark);
    node.scalar = value;
    node.quoted = tag == "!";
    if (node.quoted) last_quoted_ = node.at;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    admit(mark, anchor, tag);
    open(YamlNode::Kind::kSequence, position_of(mark));
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    admit(mark, anchor, tag);
    open(YamlNode::Kind::kMap, position_of(mark));
  }
  void OnMapEnd() override { close(); }

  void OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) override {
    throw Refused{position_of(mark), "anchors are not allowed: write the value out"};
  }

  [[nodiscard]] std::optional<Position> last_quoted() const { return last_quoted_; }
  std::optional<YamlNode> take_root() { return std::move(root_); }

 private:
  struct Level {
    YamlNode node;
    std::set<std::string> keys;
    std::optional<YamlEntry> pending;  // a key that waits for its value
  };

  // Where nothing stands, the parser names what comes next, lines further down perhaps. A person
  // looks for the key that has no value, or for the dash.
  [[nodiscard]] Position place_of_nothing(Position next) const {
    const std::size_t at = lines_.offset_of(next);
    const bool written =
        at < text_.size() && std::string_view("~nN").find(text_[at]) != std::string_view::npos;
    if (written || stack_.empty()) return next;
    if (stack_.back().pending) return stack_.back().pending->at;
    return lines_.last_dash_before(next).value_or(next);
  }

  void admit(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) {
    if (++events_ > kMaxYamlEvents) {
      throw Refused{position_of(mark),
                    "more than " + std::to_string(kMaxYamlEvents) + " values: split the file"};
    }
    if (anchor != 0) {
      throw Refused{position_of(mark), "anchors are not allowed: write the value out"};
    }
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{position_of(mark), "tags are not allowed: remove '" + escape(tag, 60) + "'"};
    }
  }

  void open(YamlNode::Kind kind, Position at) {
    if (stack_.size() >= kMaxYamlDepth) {
      throw Refused{at, "nested deeper than " + std::to_string(kMaxYamlDepth) + " levels"};
    }
    if (!stack_.empty() && stack_.back().node.kind == YamlNode::Kind::kMap &&
        !stack_.back().pending) {
      throw Refused{at, "a key must be a word, not a list or a map"};
    }
    Level level;
    level.node.kind = kind;
    level.node.at = at;
    stack_.push_back(std::move(level));
  }

  void close() {
    YamlNode done = std::move(stack_.back().node);
    stack_.pop_back();
    add(std::move(done));
  }

  void add(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = stack_.back();
    if (level.node.kind == YamlNode::Kind::kSequence) {
      level.node.items.push_back(std::move(node));
    } else if (level.pending) {
      level.pending->value = std::move(node);
      level.node.entries.push_back(std::move(*level.pending));
      level.pending.reset();
    } else {
      add_key(level, std::move(node));
    }
  }

  static void add_key(Level& level, YamlNode node) {
    if (node.kind != YamlNode::Kind::kScalar) throw Refused{node.at, "a key must be a word"};
    if (node.scalar == "<<")
      throw Refused{node.at, "merge keys are not allowed: write the values out"};
    if (!level.keys.insert(node.scalar).second) {
      throw Refused{node.at, "duplicate key '" + escape(node.scalar, 60) + "': keep one of them"};
    }
    level.pending = YamlEntry{std::move(node.scalar), node.at, {}};
  }

  std::string_view text_;
  const Lines& lines_;
  std::vector<Level> stack_;
  std::optional<YamlNode> root_;
  std::size_t events_ = 0;
  int documents_ = 0;
  std::optional<Position> last_quoted_;
};

// Checked before yaml-cpp sees the text: it would take UTF-16 by its byte order mark, and NUL
// bytes.
std::optional<Refused> check_bytes(std::string_view text) {
  Position at;
  bool blank = true;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0)
      return Refused{at, "not UTF-8 (byte 0x" + escape(text.substr(i, 1)).substr(2) +
                             "): save the file as UTF-8"};
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
      return Refused{at,
                     "control character " + escape(text.substr(i, 1)) + ": only text is allowed"};
    }
    if (byte > ' ') blank = false;
    if (byte == '\n') {
      ++at.line;
      at.column = 1;
    } else {
      ++at.column;
    }
    i += length;
  }
  if (blank) return Refused{{}, "the file is empty: it needs apiVersion, kind, metadata and spec"};
  return std::nullopt;
}

// yaml-cpp 0.7 takes a quote that is never closed for one that ends with the file, so a file that
// was cut would be accepted. Such a quote runs to the end, so only the last one needs a look.
bool is_closed(std::string_view text, std::size_t i) {
  if (i >= text.size() || (text[i] != '"' && text[i] != '\''))
    return true;  // a tag "!", or a position not understood
  const char mark = text[i];
  for (++i; i < text.size(); ++i) {
    const bool doubled =
        mark == '\'' && text[i] == mark && i + 1 < text.size() && text[i + 1] == mark;
    if (doubled || (mark == '"' && text[i] == '\\')) {
      ++i;  // what follows belongs to it
    } else if (text[i] == mark) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string format_position(std::string_view file_name, Position at) {
  std::string name(file_name);
  // Each complaint is a line of its own, whatever a file is called.
  for (std::size_t i = name.find('\n'); i != std::string::npos; i = name.find('\n', i))
    name.replace(i, 1, "\\x0a");
  return name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

Result<YamlNode> parse_yaml(std::string_view text, std::string_view file_name) {
  const auto refuse = [&](Position at, const std::string& what) {
    return fail(Code::kInvalidArgument, format_position(file_name, at) + ": " + what);
  };
  if (text.size() > kMaxYamlBytes) {
    return refuse({}, "larger than " + std::to_string(kMaxYamlBytes / 1024) + " KiB");
  }
  if (const auto bad = check_bytes(text)) return refuse(bad->at, bad->what);
  const FalseBlanks blanks = find_false_blanks(text);
  if (blanks.look_alike) return refuse(blanks.look_alike->at, blanks.look_alike->what);
  const Lines lines(text);
  TreeBuilder builder(text, lines);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return refuse(refused.at, refused.what);
  } catch (const YAML::Exception& error) {
    const Position at = position_of(error.mark);
    if (blanks.tab && blanks.tab->at.line <= at.line)
      return refuse(blanks.tab->at, blanks.tab->what);
    return refuse(at, "not valid YAML: " + escape(error.msg, 200));
  } catch (const std::exception& error) {
    return refuse({}, "not valid YAML: " + escape(error.what(), 200));
  }
  if (builder.last_quoted() && !is_closed(text, lines.offset_of(*builder.last_quoted()))) {
    return refuse(*builder.last_quoted(),
                  "not valid YAML: the quote that begins here is never closed");
  }
  std::optional<YamlNode> root = builder.take_root();
  if (!root || root->kind == YamlNode::Kind::kNull) {
    return refuse({}, "the file is empty: it needs apiVersion, kind, metadata and spec");
  }
  return std::move(*root);
}

}  // namespace ward::profiles
