// SPDX-License-Identifier: Apache-2.0
#include "lib/base/escape.h"

#include "lib/base/printable.h"

namespace ward {
namespace {

enum class Backslash { kStays, kDoubles };

std::string with_bytes_shown(std::string_view text, std::size_t max_bytes, Backslash backslash,
                             std::string_view kept) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, max_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' && backslash == Backslash::kDoubles) {
      out += "\\\\";
    } else if ((byte >= 0x20 && byte < 0x7f) || kept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += "\\x";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  if (text.size() > max_bytes) out += "...";
  return out;
}

}  // namespace

std::string escape(std::string_view text, std::size_t max_bytes) {
  return with_bytes_shown(text, max_bytes, Backslash::kDoubles, "");
}

std::string printable(std::string_view sentence, std::size_t max_bytes) {
  return with_bytes_shown(sentence, max_bytes, Backslash::kStays, "\n");
}

}  // namespace ward
