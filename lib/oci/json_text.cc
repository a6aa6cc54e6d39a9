// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/json_text.h"

namespace ward::oci {

Result<void> check_json_bounds(std::string_view text, std::size_t max_bytes, int max_depth) {
  if (text.size() > max_bytes) {
    return fail(Code::kResourceExhausted, "JSON of " + std::to_string(text.size()) + " bytes, at most " +
                                              std::to_string(max_bytes) + " are read");
  }
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) {
        return fail(Code::kResourceExhausted, "JSON is nested deeper than " + std::to_string(max_depth) + " levels");
      }
    } else if (c == '}' || c == ']') {
      --depth;
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
