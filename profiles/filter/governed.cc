// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/governed.h"

#include <array>
#include <filesystem>
#include <string_view>

#include "lib/base/file.h"
#include "profiles/filter/index_of_before.h"

namespace ward::filter {
namespace {

constexpr std::size_t kMaxMarkBytes = 1U << 20U;
// Lines; the runtime is the last and has all that follows, for a path may have any character.
constexpr std::string_view kHead = "ward-governed-2 ";
constexpr std::string_view kProfiles = "profiles\n";
constexpr std::string_view kRuntime = "runtime ";

std::array<std::filesystem::path, 2> markers(const Places& places) {
  return {places.state / "governed", places.run / "governed"};
}

std::string_view word_of(Governed how) {
  if (how == Governed::kNever) return "never\n";
  return how == Governed::kOpen ? "open\n" : "refuse\n";
}

std::string write(const GovernedMark& mark) {
  std::string text(kHead);
  text += word_of(mark.how);
  if (mark.had_profiles) text += kProfiles;
  if (!mark.runtime_binary.empty()) text.append(kRuntime).append(mark.runtime_binary) += '\n';
  return text;
}

bool take(std::string_view& text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<GovernedMark> parse(std::string_view text) {
  GovernedMark mark;
  if (!take(text, kHead)) return std::nullopt;
  if (take(text, word_of(Governed::kOpen))) {
    mark.how = Governed::kOpen;
  } else if (take(text, word_of(Governed::kRefuse))) {
    mark.how = Governed::kRefuse;
  } else if (!take(text, word_of(Governed::kNever))) {
    return std::nullopt;
  }
  mark.had_profiles = take(text, kProfiles);
  if (take(text, kRuntime)) {
    if (text.size() < 2 || text.back() != '\n') return std::nullopt;
    mark.runtime_binary = text.substr(0, text.size() - 1);
    text = {};
  }
  if (!text.empty()) return std::nullopt;
  return mark;
}

// One that cannot be read, or says what nobody wrote, was put there by somebody: the strict
// meaning.
std::optional<GovernedMark> read_marker(const std::filesystem::path& path) {
  const auto text = read_regular_file(path, kMaxMarkBytes);
  if (!text && text.error().code == Code::kNotFound) return std::nullopt;
  const auto mark = text ? parse(*text) : std::nullopt;
  return mark ? mark : GovernedMark{Governed::kRefuse, true, ""};
}

}  // namespace

std::optional<GovernedMark> read_mark(const Places& places) {
  std::optional<GovernedMark> out;
  for (const auto& path : markers(places)) {
    const auto said = read_marker(path);
    if (!said) continue;
    if (!out) out.emplace();
    if (said->how == Governed::kRefuse || out->how == Governed::kNever) out->how = said->how;
    out->had_profiles = out->had_profiles || said->had_profiles;
    if (out->runtime_binary.empty()) out->runtime_binary = said->runtime_binary;
  }
  return out;
}

Result<void> write_mark(const Places& places, const GovernedMark& mark) {
  const std::string text = write(mark);
  Result<void> result;
  for (const auto& path : markers(places)) {
    const auto there = read_regular_file(path, kMaxMarkBytes);
    if (there && *there == text) continue;
    // Each on its own: one that cannot be written does not keep the other from being there.
    if (auto written = write_file_atomically(path, text); !written) result = std::move(written);
  }
  return result;
}

Governed read_governed(const Places& places) {
  if (const auto mark = read_mark(places)) return mark->how;
  const auto before = read_index_of_before(places);
  if (!before && before.error().code == Code::kNotFound) return Governed::kNever;
  return before && before->rules_size() == 0 ? Governed::kNever : Governed::kRefuse;
}

}  // namespace ward::filter
