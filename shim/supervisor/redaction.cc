// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/redaction.h"

#include <algorithm>

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMaxOptionBytes = 32;
constexpr std::size_t kMaxVariableBytes = 64;
constexpr std::size_t kMaxWordLetters = 16;
constexpr std::size_t kMaxWordDigits = 3;
constexpr std::size_t kMaxNumberDigits = 5;  // a word that is a port: KUBERNETES_PORT_6443_TCP
constexpr std::string_view kDeleted = " (deleted)";

enum class Case { kLower, kUpper };

bool is_letter(char c, Case letters) {
  return letters == Case::kLower ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word(std::string_view word, Case letters) {
  const auto end =
      std::find_if(word.begin(), word.end(), [&](char c) { return !is_letter(c, letters); });
  const auto letter_count = static_cast<std::size_t>(end - word.begin());
  const std::size_t digit_count = word.size() - letter_count;
  if (!std::all_of(end, word.end(), is_digit)) return false;
  return letter_count <= kMaxWordLetters &&
         digit_count <= (letter_count == 0 ? kMaxNumberDigits : kMaxWordDigits);
}

// Words that are joined by the separator, of which the first begins with a letter; an empty one is
// none.
bool is_name(std::string_view text, char separator, Case letters) {
  if (text.empty() || !is_letter(text.front(), letters)) return false;
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end == 0 || !is_word(text.substr(0, end), letters)) return false;
    if (end == text.size()) return true;
    text.remove_prefix(end + 1);
  }
}

bool is_option_name(std::string_view text) {
  return text.size() <= kMaxOptionBytes && text.substr(0, 2) == "--" &&
         is_name(text.substr(2), '-', Case::kLower);
}

bool is_variable_name(std::string_view text) {
  if (text.size() > kMaxVariableBytes) return false;
  if (text == "_") return true;  // what a shell started last
  return is_name(text, '_', Case::kUpper) || is_name(text, '_', Case::kLower);
}

std::string redacted(std::string_view text) {
  return "<redacted, " + std::to_string(text.size()) + " bytes>";
}

std::string name_of(std::string_view text) { return std::string(text) + "=<redacted>"; }

}  // namespace

// exe and comm are in the evidence anyway, so nothing is told twice that was not told once.
std::string redact_program(std::string_view argument, std::string_view exe, std::string_view comm) {
  if (exe.size() > kDeleted.size() && exe.substr(exe.size() - kDeleted.size()) == kDeleted) {
    exe.remove_suffix(kDeleted.size());
  }
  if (argument.empty() || argument == exe) return std::string(argument);
  std::string_view name = argument.substr(argument.rfind('/') + 1);
  const std::string_view shown = name;
  if (name.substr(0, 1) == "-") name.remove_prefix(1);  // a login shell
  const bool is_known = !name.empty() && (name == exe.substr(exe.rfind('/') + 1) || name == comm);
  return is_known ? std::string(shown) : redacted(argument);
}

std::string redact_argument(std::string_view argument) {
  if (argument.empty() || argument == "-" || argument == "--") return std::string(argument);
  const bool is_flag =
      argument.size() == 2 && argument[0] == '-' &&
      (is_letter(argument[1], Case::kLower) || is_letter(argument[1], Case::kUpper));
  if (is_flag || is_option_name(argument)) return std::string(argument);
  const std::size_t equals = argument.find('=');
  if (equals != std::string_view::npos && is_option_name(argument.substr(0, equals))) {
    return name_of(argument.substr(0, equals));
  }
  return redacted(argument);
}

std::string redact_variable(std::string_view variable) {
  const std::size_t equals = variable.find('=');
  if (equals != std::string_view::npos && is_variable_name(variable.substr(0, equals))) {
    return name_of(variable.substr(0, equals));
  }
  return redacted(variable);
}

}  // namespace ward::shim::supervisor
