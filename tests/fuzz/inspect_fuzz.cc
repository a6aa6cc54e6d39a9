// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ELF file and as package databases: as many names as offsets, none too long.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "inspect/elf_symbols.h"
#include "inspect/package_files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ward::inspect;
  const auto read = [&](std::uint64_t at, void* buffer, std::size_t bytes) {
    if (at > size || size - at < bytes) return false;
    std::memcpy(buffer, data + at, bytes);
    return true;
  };
  const auto symbols = find_symbols(read, {0, 1, 64, 0x1000, 0x1234, ~0ULL});
  if (symbols.size() != 6) std::abort();
  for (const std::string& one : symbols)
    if (one.size() > kMaxNameBytes + 20) std::abort();
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::set<std::string, std::less<>> wanted = {"/usr/bin/x", "/x"};
  PackagedFiles found;
  read_dpkg_file("p.md5sums", text, wanted, found);
  read_dpkg_file("p.list", text, wanted, found);
  read_apk_installed(text, wanted, found);
  for (const auto& [path, one] : found) {
    if (!wanted.contains(path) || one.package.size() > kMaxPackageBytes) std::abort();
    if (!one.md5.empty() && one.md5.size() != 32) std::abort();
    if (!one.sha1.empty() && one.sha1.size() != 40) std::abort();
  }
  return 0;
}
