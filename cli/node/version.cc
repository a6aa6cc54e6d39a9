// SPDX-License-Identifier: Apache-2.0
#include "cli/node/version.h"

#include <charconv>
#include <sstream>
#include <tuple>

namespace ward::cli::node {
namespace {

std::optional<Version> parse_version(std::string_view word) {
  if (!word.empty() && word.front() == 'v') word.remove_prefix(1);
  Version version;
  const char* at = word.data();
  const char* const end = word.data() + word.size();
  int* const parts[] = {&version.major, &version.minor, &version.patch};
  int found = 0;
  for (int* part : parts) {
    const auto read = std::from_chars(at, end, *part);
    if (read.ec != std::errc()) break;
    at = read.ptr;
    ++found;
    if (at == end || *at != '.') break;
    ++at;
  }
  if (found < 2) return std::nullopt;
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  version.pre = rest.substr(0, 1) == "-" && (rest.find("rc") != std::string_view::npos ||
                                             rest.find("beta") != std::string_view::npos ||
                                             rest.find("alpha") != std::string_view::npos);
  return version;
}

}  // namespace

std::strong_ordering Version::operator<=>(const Version& other) const {
  return std::tuple(major, minor, patch, !pre) <=>
         std::tuple(other.major, other.minor, other.patch, !other.pre);
}

std::optional<Version> find_version(std::string_view text) {
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;)
    if (const auto version = parse_version(word)) return version;
  return std::nullopt;
}

std::string version_text(const Version& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch) + (version.pre ? " (not final)" : "");
}

}  // namespace ward::cli::node
