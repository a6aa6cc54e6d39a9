// SPDX-License-Identifier: Apache-2.0
#include "lib/html/html.h"

#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "lib/base/escape.h"

namespace ward::html {
namespace {

// For a place where newlines are nothing but bytes, and one where they end lines.
enum class Newline { kIsShown, kStays };

std::string entities(std::string_view text, std::size_t max_bytes, Newline newline) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  for (const char c : text.substr(0, max_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '&': out += "&amp;"; continue;
      case '<': out += "&lt;"; continue;
      case '>': out += "&gt;"; continue;
      case '"': out += "&quot;"; continue;
      case '\'': out += "&#39;"; continue;
      default: break;
    }
    if ((byte >= 0x20 && byte < 0x7f) || (c == '\n' && newline == Newline::kStays)) {
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

bool is_plain_in_an_address(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// As a Content-Security-Policy names a style.
std::string sha256_base64(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> sum{};
  crypto_hash_sha256(sum.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
  std::array<char, sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, kVariant)> text{};
  sodium_bin2base64(text.data(), text.size(), sum.data(), sum.size(), kVariant);
  return text.data();
}

}  // namespace

std::string escaped(std::string_view sentence, std::size_t max_bytes) {
  return entities(sentence, max_bytes, Newline::kIsShown);
}

void Writer::begin(std::string_view tag, Attributes attributes) {
  out_ += '<';
  out_ += tag;
  for (const Attribute& attribute : attributes) {
    out_ += ' ';
    out_ += attribute.name.name();
    out_ += "=\"" + escaped(attribute.value, kMaxText) + '"';
  }
  out_ += '>';
  open_.push_back(tag);
}

Writer& Writer::open(Tag tag, Attributes attributes) {
  begin(tag.name(), attributes);
  return *this;
}

Writer& Writer::close() {
  if (open_.empty()) std::abort();
  out_ += "</";
  out_ += open_.back();
  out_ += ">";
  // Lines for people who read the source; never inside of a line of text.
  if (open_.back() != "b" && open_.back() != "code" && open_.back() != "a" &&
      open_.back() != "span")
    out_ += '\n';
  open_.pop_back();
  return *this;
}

Writer& Writer::element(Tag tag, Attributes attributes, std::string_view content) {
  return open(tag, attributes).text(content).close();
}

Writer& Writer::text(std::string_view sentence, std::size_t max_bytes) {
  out_ += escaped(sentence, max_bytes);
  return *this;
}

Writer& Writer::data(std::string_view bytes, std::size_t max_bytes) {
  out_ += escaped(escape(bytes, max_bytes), 4 * max_bytes + 3);
  return *this;
}

Writer& Writer::lines(std::string_view content, std::size_t max_bytes) {
  out_ += entities(content, max_bytes, Newline::kStays);
  return *this;
}

Writer& Writer::link(std::string_view relative, std::string_view content) {
  out_ += "<a href=\"";
  // Neither a scheme nor a host can be made of these.
  if (relative.starts_with('#')) {
    out_ += '#';
    relative.remove_prefix(1);
  }
  for (const char c : relative) out_ += is_plain_in_an_address(c) ? c : '_';
  out_ += "\">" + escaped(content, kMaxText) + "</a>";
  return *this;
}

Html Writer::finish() && {
  while (!open_.empty()) close();
  return Html(std::move(out_));
}

std::string document(std::string_view title, Literal css, const Html& body) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'sha256-" +
      sha256_base64(css.text()) +
      "'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n<title>";
  out += escaped(title, 300);
  out += "</title>\n<style>";
  out += css.text();
  out += "</style>\n</head>\n<body>\n";
  out += body.text();
  return out + "</body>\n</html>\n";
}

}  // namespace ward::html
