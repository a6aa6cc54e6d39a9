// SPDX-License-Identifier: Apache-2.0
#include "shim/streams/log_uri.h"

#include <algorithm>

namespace ward::shim::streams {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// A byte of zero would end an argument early.
bool decode(std::string_view text, bool plus_is_space, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return false;
    out += c;
  }
  return true;
}

}  // namespace

Result<LogUri> parse_log_uri(std::string_view text) {
  LogUri uri;
  const auto separator = text.find("://");
  if (separator == std::string_view::npos) {
    uri.scheme = "fifo";
    uri.path = text;
    return uri;
  }
  const auto invalid = [text](const char* why) {
    return fail(Code::kInvalidArgument, "log URI '" + std::string(text) + "': " + why);
  };
  uri.scheme = text.substr(0, separator);
  std::string_view rest = text.substr(separator + 3);
  rest = rest.substr(0, rest.find('#'));
  const auto question = std::min(rest.find('?'), rest.size());
  if (!decode(rest.substr(0, question), false, uri.path))
    return invalid("a % in the path is not followed by two hexadecimal digits (write a % as %25)");
  if (uri.path.empty() || uri.path[0] != '/')
    return invalid("the path must be absolute (three slashes)");
  std::string_view query = rest.substr(std::min(question + 1, rest.size()));
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    std::string key;
    std::string value;
    if (!decode(pair.substr(0, equals), true, key) ||
        !decode(pair.substr(std::min(equals + 1, pair.size())), true, value)) {
      return invalid(
          "a % in the query is not followed by two hexadecimal digits (write a % as %25)");
    }
    uri.arguments.push_back(std::move(key));
    uri.arguments.push_back(std::move(value));
  }
  return uri;
}

}  // namespace ward::shim::streams
