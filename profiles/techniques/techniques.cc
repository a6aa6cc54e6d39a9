// SPDX-License-Identifier: Apache-2.0
#include "profiles/techniques/techniques.h"

namespace ward::profiles {
namespace {

bool fits(const TechniqueRow& row, std::string_view call, std::span<const std::uint64_t> args) {
  if (row.call != call) return false;
  if (row.index < 0) return true;
  const auto index = static_cast<std::size_t>(row.index);
  if (index >= args.size()) return false;
  const std::uint64_t bits = args[index] & row.mask;
  return row.any_bit ? bits != 0 : bits == row.value;
}

}  // namespace

std::vector<Technique> techniques_of(std::string_view call, std::span<const std::uint64_t> args) {
  std::vector<Technique> found;
  unsigned row_found = 0;
  for (const TechniqueRow& row : technique_rows()) {
    if (!found.empty() && row.row != row_found) break;
    if (!fits(row, call, args)) continue;
    row_found = row.row;
    found.push_back(row.technique);
  }
  return found;
}

}  // namespace ward::profiles
