// SPDX-License-Identifier: Apache-2.0
// The content of the file `index.2`, between its writer and its reader only.
//
//   Layout       where the rest is
//   head         a CompiledIndex without rules and profiles
//   selectors    a table: the packed selector of each rule
//   rules        a table: each Rule without its selector, in the order that counts
//   profiles     a table: each ProfileRef, sorted by name
//   buckets      a table: lists of rule numbers
//
// A table of n items is n + 1 offsets (32 bits, from behind the offsets) and the items. A rule that
// can only select containers of certain names, or of names that begin in a certain way, stands in
// the buckets of these keys; every other rule stands in the last bucket. A bucket may hold rules of
// several keys: it says who is asked, not who answers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/checksum.h"

namespace ward::filter {

inline constexpr std::string_view kIndexMagic = "ward-index-2";
inline constexpr std::size_t kMaxPrefixBytes = 255;  // of a key; what is longer is cut

enum class KeyKind : char { kExact = '=', kPrefix = '*' };

struct TablePlace {
  std::uint64_t at = 0;
  std::uint64_t bytes = 0;  // offsets and items
  std::uint64_t items = 0;
};

struct Layout {
  std::uint64_t head_at = 0;
  std::uint64_t head_bytes = 0;
  TablePlace selectors, rules, profiles, buckets;
  // For each field which lengths of prefix are keys: bit n of byte n / 8.
  std::array<std::array<std::uint8_t, 32>, 5> prefix_lengths{};
};

inline std::uint64_t key_of(std::size_t field, KeyKind kind, std::string_view text) {
  std::string key;
  key.reserve(text.size() + 2);
  key += static_cast<char>('0' + field);
  key += static_cast<char>(kind);
  key += text;
  return checksum64(key);
}

}  // namespace ward::filter
