// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/json_text.h"

#include <vector>

namespace ward::oci {

namespace {

// Comparisons of a new key with those that are there, in all objects together: ten thousand members
// of one object, some 0.2 s. Kubernetes allows annotations of 256 KiB in all.
constexpr std::size_t kMaxKeyComparisons = 50'000'000;

// A tree takes a hundred bytes and some tenths of a microsecond for each value. The largest
// documents of Kubernetes, Docker and Podman have some thousands. An empty list counts twice.
constexpr std::size_t kMaxValues = 500'000;

}  // namespace

Result<void> check_json_bounds(std::string_view text, std::size_t max_bytes, int max_depth) {
  if (text.size() > max_bytes) {
    return fail(Code::kResourceExhausted, "JSON of " + std::to_string(text.size()) +
                                              " bytes, at most " + std::to_string(max_bytes) +
                                              " are read");
  }
  std::vector<std::size_t> members = {0};  // of each object that is open; one for each level
  std::size_t comparisons = 0;
  std::size_t values = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == ',' || c == '{' || c == '[') {
      if (++values > kMaxValues) {
        return fail(Code::kResourceExhausted,
                    "JSON of more than " + std::to_string(kMaxValues) + " values");
      }
      if (c == ',') continue;
      members.push_back(0);
      if (members.size() > static_cast<std::size_t>(max_depth) + 1) {
        return fail(Code::kResourceExhausted,
                    "JSON is nested deeper than " + std::to_string(max_depth) + " levels");
      }
    } else if (c == '}' || c == ']') {
      if (members.size() > 1) members.pop_back();
    } else if (c == ':') {
      comparisons += members.back()++;
      if (comparisons > kMaxKeyComparisons) {
        return fail(Code::kResourceExhausted,
                    "JSON with too many members: " + std::to_string(members.back()) +
                        " in one object, ten thousand are read");
      }
    }
  }
  return {};
}

std::string fold_key(std::string_view key) {
  std::string folded;
  folded.reserve(key.size());
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key.substr(i, 2) == "\xC5\xBF") {  // LATIN SMALL LETTER LONG S
      folded += 's';
      i += 1;
    } else if (key.substr(i, 3) == "\xE2\x84\xAA") {  // KELVIN SIGN
      folded += 'k';
      i += 2;
    } else {
      folded += (key[i] >= 'A' && key[i] <= 'Z') ? static_cast<char>(key[i] - 'A' + 'a') : key[i];
    }
  }
  return folded;
}

}  // namespace ward::oci
