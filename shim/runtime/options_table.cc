// SPDX-License-Identifier: Apache-2.0
// The subset of TOML that containerd writes for a runtime's options: one `Key = value` a line,
// strings, booleans and integers. Tables and keys of other runtimes are skipped, whatever their
// values are; a value of the wrong type, a key that is there twice and a line that is none of this
// are errors. docs/decisions/0030-small-readers-of-our-own.md says why it is no library.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>

#include "lib/base/escape.h"
#include "shim/runtime/runtime_options.h"

namespace ward::shim::runtime {
namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r'))
    s.remove_suffix(1);
  return s;
}

tl::unexpected<Error> wrong(int line, std::string_view key, const char* wanted) {
  return fail(Code::kInvalidArgument,
              "line " + std::to_string(line) + ": " + std::string(key) + " must be " + wanted);
}

bool append_utf8(std::uint32_t code, std::string& out) {
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code == 0 || surrogate || code > 0x10ffff) return false;  // 0 would end a path
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | ((code >> shift) & 0x3fU));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0U | (code >> 6U));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0U | (code >> 12U));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0U | (code >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
  return true;
}

// `at` is behind the backslash, and afterwards at the last character of the escape.
bool append_escape(std::string_view value, std::size_t& at, std::string& out) {
  constexpr std::string_view kNames = "btnfr\"\\";
  constexpr std::string_view kMeanings = "\b\t\n\f\r\"\\";
  if (at >= value.size()) return false;
  if (const auto name = kNames.find(value[at]); name != std::string_view::npos) {
    out += kMeanings[name];
    return true;
  }
  if (value[at] != 'u' && value[at] != 'U') return false;
  const std::size_t wanted = value[at] == 'u' ? 4 : 8;
  const auto digits = value.substr(at + 1, wanted);
  std::uint32_t code = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, code, 16);
  if (digits.size() != wanted || error != std::errc() || end != last) return false;
  at += wanted;
  return append_utf8(code, out);
}

// 'literal' or "basic", on one line.
bool parse_string(std::string_view value, std::string& out) {
  if (value.empty() || (value[0] != '"' && value[0] != '\'')) return false;
  const char quote = value[0];
  std::string result;
  for (std::size_t i = 1; i < value.size() && value[i] != '\n'; ++i) {
    if (value[i] == quote) {
      out = std::move(result);
      const auto rest = trim(value.substr(i + 1));
      return rest.empty() || rest[0] == '#';
    }
    if (quote == '"' && value[i] == '\\') {
      if (!append_escape(value, ++i, result)) return false;
    } else {
      result += value[i];
    }
  }
  return false;
}

// Behind the string that begins at `at`: 'x', "x", and those in three quotes, which may have lines.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool lines = text.substr(at, 3) == std::string(3, quote);
  const std::string close(lines ? 3 : 1, quote);
  for (at += close.size(); at < text.size(); ++at) {
    if (text.substr(at, close.size()) == close) return at + close.size();
    if (!lines && text[at] == '\n') return at;
    if (quote == '"' && text[at] == '\\' && text.substr(at + 1, 1) != "\n") ++at;
  }
  return text.size();
}

// Up to the end of the line on which the value ends that stands at the beginning: a list may have
// many lines.
std::size_t value_length(std::string_view text) {
  int open = 0;
  std::size_t at = 0;
  while (at < text.size() && (text[at] != '\n' || open > 0)) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'') {
      at = skip_string(text, at);
    } else {
      if (c == '[' || c == '{') ++open;
      if (c == ']' || c == '}') --open;
      ++at;
    }
  }
  return at;
}

std::size_t find_equals(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && line[at] != '=')
    at = line[at] == '"' || line[at] == '\'' ? skip_string(line, at) : at + 1;
  return at < line.size() ? at : std::string_view::npos;
}

bool parse_bool(std::string_view value, bool& out) {
  value = trim(value.substr(0, value.find('#')));
  out = value == "true";
  return out || value == "false";
}

bool parse_number(std::string_view value, std::uint32_t& out) {
  value = trim(value.substr(0, value.find('#')));
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  return error == std::errc() && end == value.data() + value.size();
}

Result<void> apply(RuntimeOptions& o, int line, std::string_view key, std::string_view value) {
  struct {
    std::string_view key;
    std::string* to;
  } const strings[] = {{"BinaryName", &o.binary_name},        {"Root", &o.root},
                       {"ShimCgroup", &o.shim_cgroup},        {"CriuPath", &o.criu_path},
                       {"CriuImagePath", &o.criu_image_path}, {"CriuWorkPath", &o.criu_work_path}};
  for (const auto& entry : strings) {
    if (entry.key == key && !parse_string(value, *entry.to))
      return wrong(line, key, "a quoted string");
  }
  struct {
    std::string_view key;
    bool* to;
  } const booleans[] = {{"NoPivotRoot", &o.no_pivot_root},
                        {"NoNewKeyring", &o.no_new_keyring},
                        {"SystemdCgroup", &o.systemd_cgroup}};
  for (const auto& entry : booleans) {
    if (entry.key == key && !parse_bool(value, *entry.to)) return wrong(line, key, "true or false");
  }
  if (key == "IoUid" && !parse_number(value, o.io_uid)) return wrong(line, key, "a number");
  if (key == "IoGid" && !parse_number(value, o.io_gid)) return wrong(line, key, "a number");
  return {};
}

}  // namespace

Result<RuntimeOptions> parse_options_table(std::string_view toml) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (toml.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    toml.remove_prefix(kByteOrderMark.size());
  RuntimeOptions options;
  std::set<std::string> seen;
  for (int number = 1; !toml.empty(); ++number) {
    auto end = std::min(toml.find('\n'), toml.size());
    const auto line = trim(toml.substr(0, end));
    if (!line.empty() && line[0] == '[') break;  // what follows is in tables
    if (!line.empty() && line[0] != '#') {
      const auto equals = find_equals(toml.substr(0, end));
      std::string key(trim(toml.substr(0, std::min(equals, end))));
      if (equals == std::string_view::npos || key.empty())
        return wrong(number, escape(line), "Key = value");
      (void)parse_string(key, key);  // a key may be quoted
      if (!seen.insert(key).second) return wrong(number, escape(key), "there once");
      const auto value = toml.substr(equals + 1, value_length(toml.substr(equals + 1)));
      if (auto ok = apply(options, number, key, trim(value)); !ok)
        return tl::unexpected(ok.error());
      end = equals + 1 + value.size();
      number += static_cast<int>(std::count(value.begin(), value.end(), '\n'));
    }
    toml.remove_prefix(std::min(end + 1, toml.size()));
  }
  return options;
}

}  // namespace ward::shim::runtime
