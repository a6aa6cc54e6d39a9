// SPDX-License-Identifier: Apache-2.0
#include "compiled/governed.h"

#include <array>
#include <filesystem>
#include <string_view>

#include "lib/base/file.h"

namespace ward::compiled {
namespace {

constexpr std::string_view kOpenText = "ward-governed-1 open\n";
constexpr std::string_view kRefuseText = "ward-governed-1 refuse\n";

std::array<std::filesystem::path, 2> markers(const Places& places) {
  return {places.state / "governed", places.run / "governed"};
}

// One that cannot be read, or says what nobody wrote, was put there by somebody: the strict meaning.
Governed read_marker(const std::filesystem::path& path) {
  const auto text = read_regular_file(path, 4096);
  if (!text && text.error().code == Code::kNotFound) return Governed::kNever;
  return text && *text == kOpenText ? Governed::kOpen : Governed::kRefuse;
}

}  // namespace

Governed read_governed(const Places& places) {
  Governed out = Governed::kNever;
  for (const auto& path : markers(places)) {
    const Governed said = read_marker(path);
    if (said == Governed::kRefuse || out == Governed::kNever) out = said == Governed::kNever ? out : said;
  }
  return out;
}

Result<void> write_governed(const Places& places, Governed how) {
  if (how == Governed::kNever) return {};
  const std::string_view text = how == Governed::kOpen ? kOpenText : kRefuseText;
  Result<void> result;
  for (const auto& path : markers(places)) {
    const auto there = read_regular_file(path, 4096);
    if (there && *there == text) continue;
    // Each on its own: one that cannot be written does not keep the other from being there.
    if (auto written = write_file_atomically(path, text); !written) result = std::move(written);
  }
  return result;
}

}  // namespace ward::compiled
