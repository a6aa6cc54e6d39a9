// SPDX-License-Identifier: Apache-2.0
// What the package databases of an image say of certain files: dpkg's *.md5sums and *.list, apk's
// `installed`. The text is a container's. Values in, values out.
// Source: deb-md5sums(5); https://wiki.alpinelinux.org/wiki/Apk_spec#Installed_database_V2
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace ward::inspect {

struct PackagedFile {
  std::string package;  // [A-Za-z0-9+.:_-], at most kMaxPackageBytes: others are none
  // As the database has it, hexadecimal: MD5 of dpkg, SHA-1 of apk. Both are weak: a file can be
  // made to fit. Empty: it says none.
  std::string md5, sha1;
};

inline constexpr std::size_t kMaxPackageBytes = 128;

// By path, "/usr/lib/x.so"; only of `wanted`.
using PackagedFiles = std::map<std::string, PackagedFile, std::less<>>;

// One file of dpkg's directory: its name ("libc6:amd64.md5sums") and its text.
void read_dpkg_file(std::string_view name, std::string_view text,
                    const std::set<std::string, std::less<>>& wanted, PackagedFiles& found);
void read_apk_installed(std::string_view text, const std::set<std::string, std::less<>>& wanted,
                        PackagedFiles& found);

}  // namespace ward::inspect
