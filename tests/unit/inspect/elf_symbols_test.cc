// SPDX-License-Identifier: Apache-2.0
#include "inspect/elf_symbols.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace ward::inspect {
namespace {

using testing::ElementsAre;

ReadAt reader_of(const std::string& file) {
  return [&file](std::uint64_t at, void* buffer, std::size_t bytes) {
    if (at > file.size() || file.size() - at < bytes) return false;
    std::memcpy(buffer, file.data() + at, bytes);
    return true;
  };
}

// One segment, a table of two functions, their names; each part can be made a lie.
struct Image {
  Elf64_Ehdr header{};
  Elf64_Phdr segment{};
  Elf64_Shdr symbols{}, names{};
  Elf64_Sym first{}, second{};
  char text[32] = "\0first\0second";

  Image() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_phnum = 1;
    header.e_shnum = 2;
    header.e_phoff = offsetof(Image, segment);
    header.e_shoff = offsetof(Image, symbols);
    segment.p_type = PT_LOAD;
    segment.p_offset = 0x1000;
    segment.p_vaddr = 0x401000;
    segment.p_filesz = 0x1000;
    symbols.sh_type = SHT_SYMTAB;
    symbols.sh_offset = offsetof(Image, first);
    symbols.sh_size = 2 * sizeof(Elf64_Sym);
    symbols.sh_link = 1;
    names.sh_type = SHT_STRTAB;
    names.sh_offset = offsetof(Image, text);
    names.sh_size = sizeof(text);
    first.st_name = 1;
    first.st_info = second.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    first.st_shndx = second.st_shndx = 1;
    first.st_value = 0x401010;
    first.st_size = 0x10;
    second.st_name = 7;
    second.st_value = 0x401040;
  }
  [[nodiscard]] std::string bytes() const {
    return {reinterpret_cast<const char*>(this), sizeof(*this)};
  }
  [[nodiscard]] std::vector<std::string> at(const std::vector<std::uint64_t>& offsets) const {
    const std::string file = bytes();
    return find_symbols(reader_of(file), offsets);
  }
};

TEST(ElfSymbols, AFunctionIsNamedWithTheDistanceFromItsStart) {
  EXPECT_THAT(Image().at({0x1010, 0x101f, 0x1020, 0x1048, 0x100f, 0x9999}),
              ElementsAre("first+0x0", "first+0xf", "", "second+0x8", "", ""));
}

TEST(ElfSymbols, WhatLiesIsNoSymbol) {
  const std::vector<std::uint64_t> here{0x1010};
  const auto none = ElementsAre("");
  Image image;
  image.header.e_shoff = ~0ULL - 10;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.header.e_phoff = 1ULL << 62U;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.header.e_shnum = 0xfff0;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.header.e_phentsize = 0;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.symbols.sh_link = 0;  // its names are itself
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.symbols.sh_link = 7;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.symbols.sh_size = ~0ULL;  // more than the file has
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.names.sh_offset = ~0ULL - 1;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.first.st_name = 0xffffffff;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.segment.p_offset = image.segment.p_filesz = ~0ULL;
  EXPECT_THAT(image.at(here), none);
  image = Image();
  image.header.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_THAT(image.at(here), none);
}

TEST(ElfSymbols, AFileThatIsCutAnywhereIsRead) {
  const std::string whole = Image().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    EXPECT_EQ(find_symbols(reader_of(cut), {0x1010}).size(), 1U);
  }
}

TEST(ElfSymbols, ATableWithoutAnEndIsReadToItsBound) {
  Image image;
  image.symbols.sh_size = 1ULL << 50U;
  const std::string file = image.bytes();
  std::uint64_t bytes_read = 0;
  const ReadAt endless = [&](std::uint64_t at, void* buffer, std::size_t bytes) {
    bytes_read += bytes;
    std::memset(buffer, 0, bytes);
    if (at < file.size())
      std::memcpy(buffer, file.data() + at, std::min<std::size_t>(bytes, file.size() - at));
    return true;
  };
  EXPECT_THAT(find_symbols(endless, {0x1010}), ElementsAre("first+0x0"));
  EXPECT_LT(bytes_read, (kMaxSymbols + 10'000) * sizeof(Elf64_Sym));
}

}  // namespace
}  // namespace ward::inspect
