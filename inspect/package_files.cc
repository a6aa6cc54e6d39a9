// SPDX-License-Identifier: Apache-2.0
#include "inspect/package_files.h"

#include <array>
#include <cstdint>
#include <functional>

namespace ward::inspect {
namespace {

using Wanted = std::set<std::string, std::less<>>;

void each_line(std::string_view text, const std::function<void(std::string_view)>& see) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    see(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Today's images have /bin as a link to /usr/bin, and their databases either name.
std::string find_wanted(std::string_view path, const Wanted& wanted) {
  std::string whole = path.rfind('/', 0) == 0 ? std::string(path) : "/" + std::string(path);
  if (wanted.contains(whole)) return whole;
  const std::string merged = "/usr" + whole;
  return wanted.contains(merged) ? merged : "";
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// What no package has in its name is a text for whoever reads the evidence.
bool is_package(std::string_view name) {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.:_-";
  return !name.empty() && name.size() <= kMaxPackageBytes &&
         name.find_first_not_of(kCharacters) == std::string_view::npos;
}

PackagedFile& entry(PackagedFiles& found, const std::string& path, std::string_view package) {
  PackagedFile& one = found[path];
  if (one.package.empty()) one.package = std::string(package);
  return one;
}

// 28 characters to 20 bytes, in hexadecimal; empty where it is none.
std::string hex_of_base64(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() != 28 || text.back() != '=') return {};
  std::uint32_t bits = 0;
  int count = 0;
  std::string out;
  for (const char c : text.substr(0, 27)) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return {};
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    const std::uint32_t byte = (bits >> static_cast<unsigned>(count)) & 0xFFU;
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

}  // namespace

void read_dpkg_file(std::string_view name, std::string_view text, const Wanted& wanted,
                    PackagedFiles& found) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return;
  const std::string_view package = name.substr(0, dot);
  const std::string_view kind = name.substr(dot + 1);
  if (!is_package(package)) return;
  each_line(text, [&](std::string_view line) {
    if (kind == "list") {
      if (const auto path = find_wanted(line, wanted); !path.empty()) entry(found, path, package);
      return;
    }
    // "<md5>  usr/bin/x"
    if (kind != "md5sums" || line.size() < 35 || !is_hex(line.substr(0, 32), 32)) return;
    const std::size_t begin = line.find_first_not_of(' ', 32);
    if (begin == std::string_view::npos) return;
    if (const auto path = find_wanted(line.substr(begin), wanted); !path.empty())
      entry(found, path, package).md5 = std::string(line.substr(0, 32));
  });
}

void read_apk_installed(std::string_view text, const Wanted& wanted, PackagedFiles& found) {
  std::string_view package;
  std::string_view folder;
  std::string path;
  each_line(text, [&](std::string_view line) {
    if (line.empty()) {
      package = folder = {};
      path.clear();
    }
    if (line.size() < 2 || line[1] != ':' || (package.empty() && line[0] != 'P')) return;
    const std::string_view value = line.substr(2);
    switch (line[0]) {
      case 'P': package = is_package(value) ? value : std::string_view(); return;
      case 'F':
        folder = value;
        path.clear();
        return;
      case 'R':
        path = find_wanted(
            folder.empty() ? std::string(value) : std::string(folder) + "/" + std::string(value),
            wanted);
        if (!path.empty()) entry(found, path, package);
        return;
      case 'Z':  // of the file above: "Q1" and the SHA-1
        if (!path.empty() && value.rfind("Q1", 0) == 0)
          entry(found, path, package).sha1 = hex_of_base64(value.substr(2));
        return;
      default: return;
    }
  });
}

}  // namespace ward::inspect
