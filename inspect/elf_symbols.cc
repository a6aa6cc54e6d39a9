// SPDX-License-Identifier: Apache-2.0
#include "inspect/elf_symbols.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <optional>

namespace ward::inspect {
namespace {

constexpr std::size_t kMaxSegments = 512;
constexpr std::size_t kMaxSections = 4096;
constexpr std::size_t kSymbolsOfOneRead = 4096;

// Reads of a table of `count` entries of a kind, whatever the header says of their size.
template <typename Entry>
std::vector<Entry> read_table(const ReadAt& read, std::uint64_t at, std::size_t count) {
  std::vector<Entry> table(count);
  if (count == 0 || !read(at, table.data(), count * sizeof(Entry))) return {};
  return table;
}

struct Place {
  std::optional<std::uint64_t> address;  // as the file says it
  bool found = false;
  std::uint64_t distance = 0;  // from the symbol's start
  std::uint64_t names = 0;     // where the table of its name begins
  std::uint64_t names_size = 0;
  std::uint32_t name = 0;
};

std::optional<std::uint64_t> address_of(std::uint64_t offset,
                                        const std::vector<Elf64_Phdr>& segments) {
  for (const Elf64_Phdr& one : segments) {
    if (one.p_type == PT_LOAD && offset >= one.p_offset && offset - one.p_offset < one.p_filesz)
      return one.p_vaddr + (offset - one.p_offset);
  }
  return std::nullopt;
}

void take(const Elf64_Sym& symbol, const Elf64_Shdr& names, Place& place) {
  if (!place.address || *place.address < symbol.st_value) return;
  const std::uint64_t distance = *place.address - symbol.st_value;
  if (symbol.st_size != 0 && distance >= symbol.st_size) return;
  if (place.found && place.distance <= distance) return;
  place.found = true;
  place.distance = distance;
  place.names = names.sh_offset;
  place.names_size = names.sh_size;
  place.name = symbol.st_name;
}

// The entries are read in the size that they have, so a loop or a lie in the header costs nothing.
void look_through(const ReadAt& read, const Elf64_Shdr& table, const Elf64_Shdr& names,
                  std::size_t& left, std::vector<Place>& places) {
  std::uint64_t count = std::min<std::uint64_t>(table.sh_size / sizeof(Elf64_Sym), left);
  left -= count;
  for (std::uint64_t at = table.sh_offset; count > 0;) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(count, kSymbolsOfOneRead));
    const auto symbols = read_table<Elf64_Sym>(read, at, now);
    if (symbols.empty()) return;
    for (const Elf64_Sym& symbol : symbols) {
      const auto type = ELF64_ST_TYPE(symbol.st_info);
      if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol.st_shndx == SHN_UNDEF) continue;
      for (Place& place : places) take(symbol, names, place);
    }
    count -= now;
    at += now * sizeof(Elf64_Sym);
  }
}

std::string name_of(const ReadAt& read, const Place& place) {
  if (!place.found || place.name >= place.names_size) return {};
  std::array<char, kMaxNameBytes> name{};
  const std::uint64_t left = place.names_size - place.name;
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, name.size()));
  if (!read(place.names + place.name, name.data(), most)) return {};
  const std::string text(name.data(), ::strnlen(name.data(), most));
  if (text.empty()) return {};
  std::array<char, 24> distance{};
  std::snprintf(distance.data(), distance.size(), "+0x%llx",
                static_cast<unsigned long long>(place.distance));
  return text + distance.data();
}

bool is_understood(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
         header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum <= kMaxSegments &&
         header.e_shentsize == sizeof(Elf64_Shdr) && header.e_shnum <= kMaxSections;
}

}  // namespace

std::vector<std::string> find_symbols(const ReadAt& read,
                                      const std::vector<std::uint64_t>& offsets) {
  std::vector<std::string> out(offsets.size());
  Elf64_Ehdr header{};
  if (!read(0, &header, sizeof(header)) || !is_understood(header)) return out;
  const auto segments = read_table<Elf64_Phdr>(read, header.e_phoff, header.e_phnum);
  const auto sections = read_table<Elf64_Shdr>(read, header.e_shoff, header.e_shnum);
  std::vector<Place> places(offsets.size());
  for (std::size_t i = 0; i < offsets.size(); ++i)
    places[i].address = address_of(offsets[i], segments);
  std::size_t left = kMaxSymbols;
  for (const Elf64_Shdr& one : sections) {
    const bool is_table = one.sh_type == SHT_SYMTAB || one.sh_type == SHT_DYNSYM;
    if (!is_table || one.sh_link >= sections.size()) continue;
    if (sections[one.sh_link].sh_type != SHT_STRTAB) continue;
    look_through(read, one, sections[one.sh_link], left, places);
  }
  for (std::size_t i = 0; i < places.size(); ++i) out[i] = name_of(read, places[i]);
  return out;
}

}  // namespace ward::inspect
